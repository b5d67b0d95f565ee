"""How a worker comes to have a job in hand: why, since when, and which trace it goes on with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from services import telemetry
from services.jobs import tables
from services.jobs.engine import names
from services.telemetry import AttemptCause

_NS_OF_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known when a worker has taken a job; milliseconds since 1970."""

    cause: AttemptCause
    traceparent: str | None
    """Of the span in which it was asked for"""
    queued_ms: int
    """When it was asked for"""

    def record_spans(self, taken_ns: int) -> None:
        """The wait in the queue, of a new job only (of others nobody knows since when), and the claim that ends now."""
        if self.cause == "new":
            telemetry.record_span("queue wait", self.queued_ms * _NS_OF_MS, taken_ns)
        telemetry.record_span("claim", taken_ns, time.time_ns())


def find_beginning(connection: sa.Connection, job_id: str) -> Beginning:
    """Call it before the first sign of life of this worker is written."""
    status, event = names.status_table(connection.engine), names.event_table(connection.engine)
    jobs = tables.jobs.c
    live = sa.exists().where(event.c.workflow_uuid == job_id, event.c.key == names.LIVE_EVENT)
    statement = (
        sa.select(
            jobs.attempts,
            jobs.traceparent,
            jobs.created_ms,
            status.c.recovery_attempts.label("taken"),
            live.label("live"),
        )
        .join_from(tables.jobs, status, status.c.workflow_uuid == jobs.id)
        .where(jobs.id == job_id)
    )
    row = connection.execute(statement).one()
    return Beginning(_cause(row), row.traceparent, row.created_ms)


def _cause(row: sa.Row[Any]) -> AttemptCause:
    """Somebody or something made it necessary once more, unless the job is new."""
    if row.attempts == 0 and not row.live:
        return "new"
    # DBOS counts how often a job was taken; what its worker hands back, or a user retries, begins again at one.
    if row.taken > 1:
        return "worker_died"
    # A retry forgets all that was known of the job; a worker that stops leaves it.
    return "worker_drained" if row.live else "retried_by_user"
