"""Jobs that were interrupted run before those that wait."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from services.jobs.engine import names

# Before names.PRIORITY. Among equals DBOS goes by the time at which a job came, which the jobs of one batch share: the
# interrupted one would be behind all of them.
_FIRST: Final = 0


def put_first(database: sa.Engine, executor_id: str) -> None:
    """Whatever that worker runs will, when it is queued again, run before every other job; call it before it is."""
    status = sa.table(
        "workflow_status", *map(sa.column, ("priority", "status", "executor_id")), schema=names.dbos_schema(database)
    )
    its = sa.and_(status.c.status == "PENDING", status.c.executor_id == executor_id)
    with database.begin() as connection:
        connection.execute(sa.update(status).where(its).values(priority=_FIRST))
