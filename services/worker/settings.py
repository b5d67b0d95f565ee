"""Every setting of the worker, read from CHORUS_* by its composition root only."""

from __future__ import annotations

from pydantic import Field

from services.jobs.settings import StateSettings


class WorkerSettings(StateSettings):
    """Beside the state: how much is rendered at once, and when a render counts as stuck."""

    worker_slots: int = Field(default=1, ge=1)
    """Jobs that one worker renders at the same time"""
    stall_seconds: float = Field(default=120, gt=0)
    """A render that shows no progress for that long is killed and tried again, seconds"""
    metrics_host: str = "127.0.0.1"
    """Address that /metrics listens on; 0.0.0.0 where another machine scrapes it"""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of /metrics; 0: none"""
