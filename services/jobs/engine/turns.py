"""Which job comes next: everybody's in turn, so that one person's thousand do not hold up another's one.

A job's turn is its priority in DBOS, which goes by the smallest, then by the time at which a job came. It is start-time
fair queueing (Goyal, Vin and Cheng, 1996) with jobs of equal length and weights: an owner's jobs of one priority have
turns with equal steps between them, the higher the smaller. The first one is the turn that comes next, or follows the
last of these jobs that waits or runs. So of two that wait together, high gets two jobs for each of normal, and normal
two for each of low; none gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Final

import sqlalchemy as sa

from services.jobs import tables
from services.jobs.engine import names
from services.jobs.model import Priority

_STEP: Final[Mapping[Priority, int]] = {Priority.HIGH: 1, Priority.NORMAL: 2, Priority.LOW: 4}
# For what was interrupted; the turns of new jobs begin behind it.
_FIRST: Final = 0


def next_turns(connection: sa.Connection, owner: str, priority: Priority) -> Iterator[int]:
    """The turns of an owner's new jobs of one priority, without end."""
    status, step = names.status_table(connection.engine), _STEP[priority]
    coming = sa.select(sa.func.min(status.c.priority)).where(names.is_waiting(status), status.c.priority > _FIRST)
    own = sa.select(sa.func.max(status.c.priority)).select_from(
        status.join(tables.jobs, status.c.workflow_uuid == tables.jobs.c.id).join(tables.batches)
    )
    last = own.where(
        tables.batches.c.owner == owner, tables.batches.c.priority == priority, names.is_unfinished(status)
    )
    found = connection.execute(sa.select(coming.scalar_subquery(), last.scalar_subquery())).one()
    follows = 0 if found[1] is None else found[1] + step
    return count(max(found[0] or 0, follows, _FIRST + 1), step)


def waiting(connection: sa.Connection) -> int:
    """How many jobs of the whole installation wait."""
    status = names.status_table(connection.engine)
    return int(
        connection.execute(sa.select(sa.func.count()).select_from(status).where(names.is_waiting(status))).scalar_one()
    )


def put_first(database: sa.Engine, executor_id: str) -> None:
    """Whatever that worker runs will, when it is queued again, run before every other job; call it before it is."""
    status = names.status_table(database)
    its = sa.and_(status.c.status == "PENDING", status.c.executor_id == executor_id)
    with database.begin() as connection:
        connection.execute(sa.update(status).where(its).values(priority=_FIRST))
