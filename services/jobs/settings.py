"""Where the state of an installation lies, read from CHORUS_* by the composition roots of api and worker."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.telemetry import LogForm, TracingSettings


def _data_folder() -> Path:
    return Path("chorus-data").resolve()


class StateSettings(TracingSettings):
    """The defaults run a whole installation on one machine: SQLite and a folder below the current one."""

    model_config = SettingsConfigDict(env_prefix="CHORUS_", frozen=True, use_attribute_docstrings=True)

    database_url: str = Field(default_factory=lambda: f"sqlite:///{_data_folder() / 'chorus.db'}")
    """sqlite:///path (one machine, one worker) or postgresql://user:password@host/database (any number of workers)"""
    store_url: str = Field(default_factory=lambda: (_data_folder() / "store").as_uri())
    """Where uploads and outputs lie: file:///folder, s3://bucket, gs://bucket, az://container"""
    scratch: Path = Field(default_factory=lambda: _data_folder() / "scratch")
    """Local folder for files that are being received or rendered; not shared by two workers"""
    families: Path | None = None
    """Folder of the families that were imported (`chorus models import`), which Triton serves as well; none: none"""
    retention_days: float = Field(default=0, ge=0)
    """Finished jobs, their outputs and unused uploads are deleted after that many days, unless an admin has set another
    number on the page; 0 keeps them"""
    metrics_host: str = "127.0.0.1"
    """Address that /metrics, /healthz and /readyz listen on; 0.0.0.0 where another machine asks"""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of /metrics, /healthz and /readyz; 0: none"""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR"""
    log_form: LogForm = "text"
    """text for people, json for programs that collect the log"""
