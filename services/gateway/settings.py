"""Every setting of the gateway's processes (api, worker, render), read from CHORUS_* by the composition root only."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _data_folder() -> Path:
    return Path("chorus-data").resolve()


class GatewaySettings(BaseSettings):
    """The defaults run a whole installation on one machine: SQLite and a folder below the current one."""

    model_config = SettingsConfigDict(env_prefix="CHORUS_", frozen=True)

    host: str = "127.0.0.1"
    """Address that the REST and gRPC doors listen on"""
    port: int = Field(default=7860, ge=0, le=65535)
    """Port of REST and the web page"""
    grpc_port: int = Field(default=7861, ge=0, le=65535)
    """Port of the gRPC door"""
    database_url: str = Field(default_factory=lambda: f"sqlite:///{_data_folder() / 'chorus.db'}")
    """sqlite:///path (one machine, one worker) or postgresql://user:password@host/database (any number of workers)"""
    store_url: str = Field(default_factory=lambda: (_data_folder() / "store").as_uri())
    """Where uploads and outputs lie: file:///folder, s3://bucket, gs://bucket, az://container"""
    scratch: Path = Field(default_factory=lambda: _data_folder() / "scratch")
    """Local folder for files that are being received or rendered; not shared by two workers"""
    preprocess_address: str = "127.0.0.1:7862"
    """host:port of the preprocess service"""
    triton_url: str = "127.0.0.1:8001"
    """host:port of Triton's gRPC endpoint"""
    max_upload_bytes: int = Field(default=2 << 30, gt=0)
    """Largest file that is accepted, bytes"""
    max_minutes: float = Field(default=10, gt=0)
    """Longest recording that is accepted, minutes"""
    worker_slots: int = Field(default=1, ge=1)
    """Jobs that one worker renders at the same time"""
    stall_seconds: float = Field(default=120, gt=0)
    """A render that shows no progress for that long is killed and tried again, seconds"""
    retention_days: float = Field(default=0, ge=0)
    """Finished jobs, their outputs and unused uploads are deleted after that many days; 0 keeps them"""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the worker's /metrics; 0: none (the api serves its own on CHORUS_PORT)"""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR"""
