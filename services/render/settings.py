"""Every setting of the render child, read from CHORUS_* by its composition root only."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from services.telemetry import LogForm
from services.tls.settings import ClientTlsSettings


class RenderProcessSettings(ClientTlsSettings):
    """Whom a render asks; the worker passes its own environment on."""

    store_url: str = Field(default_factory=lambda: (Path("chorus-data").resolve() / "store").as_uri())
    """Where uploads lie: file:///folder or a bucket's URL"""
    preprocess_address: str = "127.0.0.1:7862"
    """host:port of the preprocess service; dns:///name:port spreads the calls over all replicas behind the name"""
    triton_url: str = "127.0.0.1:8001"
    """host:port of Triton's gRPC endpoint, or dns:///name:port"""
    families: Path | None = None
    """Folder of the families that were imported (`chorus models import`), which Triton serves as well; none: none"""
    render_memory_gib: int = Field(default=8, ge=1)
    """How much private memory one render may take; a worker's container must hold it once for each of its slots"""
    stall_seconds: float = Field(default=120, gt=0)
    """How long a call to either may take, seconds"""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR"""
    log_form: LogForm = "text"
    """text for people, json for programs that collect the log"""
