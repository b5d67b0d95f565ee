"""Every setting of the worker, read from CHORUS_* by its composition root only."""

from __future__ import annotations

from pydantic import Field

from services.jobs.settings import StateSettings
from services.tls.settings import ClientTlsSettings


class WorkerSettings(StateSettings, ClientTlsSettings):
    """Beside the state: how much is rendered at once, and when a render counts as stuck.

    Those of TLS are for its render children; here they are only checked, so that a mistake ends the worker and no job.
    """

    worker_slots: int = Field(default=1, ge=1)
    """Jobs that one worker renders at the same time"""
    stall_seconds: float = Field(default=120, gt=0)
    """A render that shows no progress for that long is killed and tried again, seconds"""
    drain_seconds: float = Field(default=0, ge=0)
    """How long running jobs may still take when the worker is told to stop, before they are handed back, seconds"""
