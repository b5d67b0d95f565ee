"""How much would be deleted as too old: finished jobs, and the uploads that no other job needs."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from services.jobs import tables
from services.jobs.engine import names
from services.jobs.model import FINISHED

_ENDED: Final = tuple(status for state in FINISHED for status in names.statuses_of(state))


def count_old(connection: sa.Connection, before_ms: int) -> tuple[int, int]:
    """Jobs that finished before a moment, and uploads from before it that only such jobs use, or none."""
    status, jobs, media = names.status_table(connection.engine), tables.jobs, tables.media
    is_old = status.c.status.in_(_ENDED) & (status.c.completed_at < before_ms)
    joined = jobs.join(status, status.c.workflow_uuid == jobs.c.id)
    old = sa.select(sa.func.count()).select_from(joined).where(is_old)
    # A job that has not ended has no such moment: a plain NOT would leave it out.
    kept = sa.func.coalesce(is_old, sa.false()).is_(sa.false())
    used = sa.union(
        *(sa.select(column).select_from(joined).where(kept) for column in (jobs.c.video_id, jobs.c.audio_id))
    )
    unused = (
        sa.select(sa.func.count()).select_from(media).where(media.c.created_ms < before_ms, media.c.id.not_in(used))
    )
    return int(connection.execute(old).scalar_one()), int(connection.execute(unused).scalar_one())
