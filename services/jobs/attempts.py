"""What a worker reads and writes of a job's own row: what it shall render, and how often that was tried."""

from __future__ import annotations

import sqlalchemy as sa

from services.errors import ChorusError, ErrorKind
from services.jobs import tables
from services.jobs.spec import JobSpec, spec_from_json


def find_spec(connection: sa.Connection, job_id: str) -> JobSpec:
    """What a job shall render; NOT_FOUND when it was deleted."""
    spec = connection.execute(sa.select(tables.jobs.c.spec).where(tables.jobs.c.id == job_id)).scalar_one_or_none()
    if spec is None:
        raise ChorusError(ErrorKind.NOT_FOUND, "job-unknown", job=job_id)
    return spec_from_json(spec)


def begin_attempt(connection: sa.Connection, job_id: str) -> int:
    """Count one more try of a job and return its number, from 1."""
    return _count_attempt(connection, job_id, 1)


def hand_back_attempt(connection: sa.Connection, job_id: str) -> int:
    """Forget the last try, since its worker was told to stop, and return how many are left."""
    return _count_attempt(connection, job_id, -1)


def _count_attempt(connection: sa.Connection, job_id: str, change: int) -> int:
    jobs = tables.jobs
    counted = sa.update(jobs).where(jobs.c.id == job_id).values(attempts=jobs.c.attempts + change)
    return int(connection.execute(counted.returning(jobs.c.attempts)).scalar_one())
