"""How much of an installation one owner may take: bytes in the store, and jobs that wait or run."""

from __future__ import annotations

import sqlalchemy as sa

from services.acting import Role, current_actor
from services.errors import ChorusError, ErrorKind
from services.jobs import moments, tables
from services.jobs.engine.queue import JobQueue
from services.library.incoming import size_shown
from services.library.limits import Limits


class Quotas:
    """The shares of owners; safe to share by threads. Admins, the token and who needs no login have none."""

    def __init__(self, database: sa.Engine, queue: JobQueue, limits: Limits) -> None:
        self._database = database
        self._queue = queue
        self._limits = limits

    def check_upload(self, owner: str, name: str, size: int, *, unfinished: bool) -> None:
        """STORAGE_FULL when a file of `size` bytes is more than an owner may still have here.

        `unfinished`: what they have begun to upload counts as well.
        """
        limit = self._limits.owner_bytes
        if not limit or current_actor().may(Role.ADMIN):
            return
        used = self._used(owner, unfinished=unfinished)
        if used + size > limit:
            raise ChorusError(
                ErrorKind.STORAGE_FULL, "owner-bytes-full", name=name, used=size_shown(used), limit=size_shown(limit)
            )

    def check_jobs(self, connection: sa.Connection, owner: str, more: int) -> None:
        """OVERLOADED when an owner has too many unfinished jobs for `more`; in the transaction that makes them."""
        if current_actor().may(Role.ADMIN):
            return
        limit = self._limits.owner_jobs
        if limit and self._queue.count_unfinished(owner, connection) + more > limit:
            raise ChorusError(ErrorKind.OVERLOADED, "owner-queue-full", limit=limit)

    def _used(self, owner: str, *, unfinished: bool) -> int:
        media, uploads = tables.media.c, tables.uploads.c
        kept = sa.select(sa.func.coalesce(sa.func.sum(media.bytes), 0)).where(media.owner == owner)
        begun = sa.select(sa.func.coalesce(sa.func.sum(uploads.length), 0)).where(
            uploads.owner == owner, uploads.media_id.is_(None), uploads.expires_ms > moments.now_ms()
        )
        with tables.transaction(self._database) as connection:
            counted = [kept, begun] if unfinished else [kept]
            return sum(int(connection.execute(each).scalar_one()) for each in counted) + self._queue.output_bytes(
                connection, owner
            )
