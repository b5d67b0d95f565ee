"""Moments as the tables hold them: milliseconds since 1970."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import sqlalchemy as sa


def now_ms() -> int:
    """By the clock of this machine."""
    return time.time_ns() // 1_000_000


def database_now_ms(engine: sa.Engine) -> sa.ColumnElement[int]:
    """The same by the clock of the database, which all machines share."""
    if engine.dialect.name == "sqlite":
        return sa.literal(now_ms(), sa.BigInteger)
    return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1000, sa.BigInteger)


def is_silent(engine: sa.Engine, moment: sa.ColumnElement[int], milliseconds: int) -> sa.ColumnElement[bool]:
    """Whether who shows life by writing database_now_ms has not done so for that long.

    Or has done so in a time to come: a clock was ahead, and nobody would be missed until it had come.
    """
    now = database_now_ms(engine)
    return sa.or_(moment < now - milliseconds, moment > now + milliseconds)


def moment_of(milliseconds: int) -> datetime:
    """A stored moment, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
