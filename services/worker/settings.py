"""Every setting of the worker, read from CHORUS_* by its composition root only."""

from __future__ import annotations

from pydantic import Field

from services.jobs.encoders import EncoderChoice
from services.jobs.engine.stalls import StallLimits
from services.jobs.settings import StateSettings
from services.tls.settings import ClientTlsSettings


class WorkerSettings(StateSettings, ClientTlsSettings):
    """Beside the state: how much is rendered at once, and when a render counts as stuck.

    Those of TLS are for its render children; here they are only checked, so that a mistake ends the worker and no job.
    """

    worker_slots: int = Field(default=1, ge=1)
    """Jobs that one worker renders at the same time"""
    encoder: EncoderChoice = "auto"
    """auto: graphics hardware encodes where it is seen to work; hardware: so, and warns where none does; software"""
    start_stall_seconds: float = Field(default=60, gt=0)
    """A render that does not begin, or gets no byte of its files, for that long is killed and tried again, seconds"""
    fetch_stall_seconds: float = Field(default=600, gt=0)
    """A render for which preprocess fetches a file for that long is killed and tried again, seconds"""
    stall_seconds: float = Field(default=120, gt=0)
    """A render whose analysis comes no further for that long is killed and tried again, seconds"""
    render_stall_seconds: float = Field(default=60, gt=0)
    """A render that makes no frame for that long is killed and tried again, seconds"""
    publish_stall_seconds: float = Field(default=120, gt=0)
    """How long putting an output into the store may take, plus a second for each MiB, before the job is tried again"""
    drain_seconds: float = Field(default=0, ge=0)
    """How long running jobs may still take when the worker is told to stop, before they are handed back, seconds"""
    beat_seconds: float = Field(default=30, gt=0, le=120)
    """How often a worker says in the database that it does its work, seconds; the same for all. The jobs of one that is
    silent for about five times as long are taken over"""

    @property
    def stalls(self) -> StallLimits:
        """When each stage of a render counts as hung."""
        return StallLimits(
            starting=self.start_stall_seconds,
            fetching=self.fetch_stall_seconds,
            analysing=self.stall_seconds,
            rendering=self.render_stall_seconds,
            publishing=self.publish_stall_seconds,
        )
