"""What the writing and the reading side of DBOS's tables must agree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from dbos import DBOSClient, DBOSPortableJSONSerializer

from services.jobs.model import JobState

APPLICATION: Final = "chorus"
# Pinned: DBOS's default is a hash of the source, with which a new release would never go on with an old one's jobs.
# Raise it only when the workflow's steps change, after the queue was drained.
APPLICATION_VERSION: Final = "chorus-1"
QUEUE: Final = "render"
WORKFLOW: Final = "render_job"
LIVE_EVENT: Final = "live"
# A job whose worker dies more often than this is given up.
MAX_RECOVERIES: Final = 3

# As in DBOS's index idx_workflow_status_in_flight_v2, word for word: SQLite takes it for nothing else.
_IN_FLIGHT: Final = ("ENQUEUED", "PENDING")

STATE_OF_STATUS: Final[Mapping[str, JobState]] = {
    "DELAYED": JobState.QUEUED,
    "ENQUEUED": JobState.QUEUED,
    "PENDING": JobState.RUNNING,
    "SUCCESS": JobState.SUCCEEDED,
    "ERROR": JobState.FAILED,
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
}


def statuses_of(state: JobState) -> list[str]:
    """DBOS's statuses behind one of our states."""
    return [status for status, each in STATE_OF_STATUS.items() if each is state]


def is_waiting(status: sa.TableClause) -> sa.ColumnElement[bool]:
    """Of our queue. Literals, and nothing but what the partial index on unfinished workflows has.

    DELAYED is left out: we never ask for it, and no index has it.
    """
    return sa.and_(status.c.queue_name == QUEUE, _is_one_of(status, "ENQUEUED"), _is_one_of(status, *_IN_FLIGHT))


def is_unfinished(status: sa.TableClause) -> sa.ColumnElement[bool]:
    """Queued or running; by the same index, however many jobs have finished."""
    return sa.and_(status.c.queue_name == QUEUE, _is_one_of(status, *_IN_FLIGHT))


def _is_one_of(status: sa.TableClause, *statuses: str) -> sa.ColumnElement[bool]:
    return status.c.status.in_([sa.literal_column(f"'{each}'") for each in statuses])


def dbos_schema(database: sa.Engine) -> str | None:
    """The schema of DBOS's tables: SQLite has none."""
    return None if database.dialect.name == "sqlite" else "dbos"


def dbos_url(database: sa.Engine) -> str:
    """The URL in the form that DBOS takes, password included."""
    return database.url.set(drivername=database.dialect.name).render_as_string(hide_password=False)


def status_table(database: sa.Engine) -> sa.TableClause:
    """Where DBOS keeps the state of every job, as far as it is read here."""
    columns = ("workflow_uuid", "status", "queue_name", "priority", "executor_id", "recovery_attempts")
    moments = ("updated_at", "completed_at")
    return sa.table("workflow_status", *map(sa.column, (*columns, *moments)), schema=dbos_schema(database))


def event_table(database: sa.Engine) -> sa.TableClause:
    """Where DBOS keeps what running jobs tell of themselves."""
    return sa.table("workflow_events", *map(sa.column, ("workflow_uuid", "key", "value")), schema=dbos_schema(database))


def open_client(database: sa.Engine) -> DBOSClient:
    """DBOS from outside a worker, on our pool; it raises when the database is gone instead of waiting for ever."""
    return DBOSClient(
        system_database_engine=database,
        dbos_system_schema=dbos_schema(database),
        application_name=APPLICATION,
        serializer=DBOSPortableJSONSerializer(),
        retry_connection_errors=False,
        lazy=True,
    )
