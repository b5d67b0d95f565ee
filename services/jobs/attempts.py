"""The tries of a job, as its row counts them."""

from __future__ import annotations

import sqlalchemy as sa

from services.jobs.tables import jobs


def begin_attempt(connection: sa.Connection, job_id: str) -> int:
    """Count one more try of a job and return its number, from 1."""
    return _count_attempt(connection, job_id, 1)


def hand_back_attempt(connection: sa.Connection, job_id: str) -> int:
    """Forget the last try, since its worker was told to stop, and return how many are left."""
    return _count_attempt(connection, job_id, -1)


def _count_attempt(connection: sa.Connection, job_id: str, change: int) -> int:
    counted = sa.update(jobs).where(jobs.c.id == job_id).values(attempts=jobs.c.attempts + change)
    return int(connection.execute(counted.returning(jobs.c.attempts)).scalar_one())
