"""Which job comes next: everybody's in turn, so that one person's thousand do not hold up another's one.

A job's turn is its priority in DBOS, which goes by the smallest, then by the time at which a job came. It is start-time
fair queueing (Goyal, Vin and Cheng, 1996) with jobs of equal length: an owner's jobs have consecutive turns. The first
one is the turn that comes next, or follows the owner's last job that waits or runs.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from services.jobs import tables
from services.jobs.engine import names
from services.jobs.model import JobState

# For what was interrupted; the turns of new jobs begin behind it.
_FIRST: Final = 0
_QUEUED: Final = names.statuses_of(JobState.QUEUED)
_UNFINISHED: Final = [*_QUEUED, *names.statuses_of(JobState.RUNNING)]


def next_turn(connection: sa.Connection, owner: str) -> int:
    """The turn of the first of an owner's new jobs; the others follow it one by one."""
    status = names.status_table(connection.engine)
    own = sa.select(sa.func.max(status.c.priority)).select_from(
        tables.jobs.join(status, status.c.workflow_uuid == tables.jobs.c.id).join(tables.batches)
    )
    coming = sa.select(sa.func.min(status.c.priority)).where(
        status.c.queue_name == names.QUEUE, status.c.status.in_(_QUEUED), status.c.priority > _FIRST
    )
    last = own.where(tables.batches.c.owner == owner, status.c.status.in_(_UNFINISHED))
    found = connection.execute(sa.select(coming.scalar_subquery(), last.scalar_subquery())).one()
    return max(found[0] or _FIRST + 1, (found[1] or _FIRST) + 1)


def waiting(connection: sa.Connection) -> int:
    """How many jobs of the whole installation wait."""
    status = names.status_table(connection.engine)
    wait = sa.and_(status.c.queue_name == names.QUEUE, status.c.status.in_(_QUEUED))
    return int(connection.execute(sa.select(sa.func.count()).select_from(status).where(wait)).scalar_one())


def put_first(database: sa.Engine, executor_id: str) -> None:
    """Whatever that worker runs will, when it is queued again, run before every other job; call it before it is."""
    status = names.status_table(database)
    its = sa.and_(status.c.status == "PENDING", status.c.executor_id == executor_id)
    with database.begin() as connection:
        connection.execute(sa.update(status).where(its).values(priority=_FIRST))
