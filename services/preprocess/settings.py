"""What an operator can set for the preprocess process."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.telemetry import LogForm, TracingSettings
from services.tls.settings import ServerTlsSettings, TritonTlsSettings


class PreprocessSettings(ServerTlsSettings, TritonTlsSettings, TracingSettings):
    """Read from the environment, every name with the prefix CHORUS_."""

    model_config = SettingsConfigDict(env_prefix="CHORUS_", frozen=True, extra="forbid", use_attribute_docstrings=True)

    preprocess_listen: str = "127.0.0.1:7862"
    """host:port of the gRPC door"""
    triton_url: str = "127.0.0.1:8001"
    """host:port of Triton's gRPC endpoint, or dns:///name:port"""
    store_url: str
    """Where artifacts and intermediates lie: file:///folder or a bucket's URL"""
    scratch: Path
    """A local folder for files that live as long as one analysis"""
    metrics_host: str = "127.0.0.1"
    """Address that /metrics, /healthz and /readyz listen on; 0.0.0.0 where another machine asks"""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Port of /metrics, /healthz and /readyz; 0: none"""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR"""
    log_form: LogForm = "text"
    """text for people, json for programs that collect the log"""
    drain_seconds: float = Field(default=5, ge=0)
    """How long requests under way may still take when the process is told to stop, seconds"""
    max_minutes: float = Field(default=10.0, gt=0)
    """Longer videos and recordings are refused"""
