"""Why a worker has a job in hand: it is new, or somebody or something made it necessary once more."""

from __future__ import annotations

import sqlalchemy as sa

from services.jobs import tables
from services.jobs.engine import names
from services.telemetry import AttemptCause


def find_cause(connection: sa.Connection, job_id: str) -> AttemptCause:
    """Call it before the first sign of life of this worker is written."""
    status, event = names.status_table(connection.engine), names.event_table(connection.engine)
    live = sa.exists().where(event.c.workflow_uuid == job_id, event.c.key == names.LIVE_EVENT)
    taken = sa.select(status.c.recovery_attempts).where(status.c.workflow_uuid == job_id).scalar_subquery()
    tried = sa.select(tables.jobs.c.attempts).where(tables.jobs.c.id == job_id).scalar_subquery()
    row = connection.execute(sa.select(taken.label("taken"), tried.label("tried"), live.label("live"))).one()
    if row.tried == 0:
        return "new"
    # DBOS counts how often a job was taken; what its worker hands back, or a user retries, begins again at one.
    if row.taken > 1:
        return "worker_died"
    # A retry forgets all that was known of the job; a worker that stops leaves it.
    return "worker_drained" if row.live else "retried_by_user"
