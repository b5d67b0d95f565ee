"""Which rows the one who asks may know of, and which come first."""

from __future__ import annotations

import sqlalchemy as sa

from services.acting import current_actor


def seen(table: sa.Table) -> sa.ColumnElement[bool]:
    """The rows that whoever acts may know of, by their owner; others are as if they were not there."""
    actor = current_actor()
    if actor.role is None:
        return sa.false()
    return sa.true() if actor.sees_all else table.c.owner == actor.owner


def others_last(table: sa.Table, owner: str) -> sa.ColumnElement[int]:
    """What to sort by so that an owner's rows come first."""
    return sa.case((table.c.owner == owner, 0), else_=1)
