"""For how long things are kept, as an admin has set it or else the environment, and deleting what is older."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from services.acting import Role, current_actor, deed, needs
from services.errors import ChorusError, ErrorKind
from services.jobs import moments, tables
from services.jobs.engine.ageing import count_old
from services.jobs.engine.queue import JobQueue
from services.jobs.watching import Watch
from services.library.limits import LEAST_RETENTION_DAYS, MOST_RETENTION_DAYS
from services.library.media import MediaLibrary
from services.library.outputs import Outputs

_log = logging.getLogger(__name__)

_PAGE: Final = 500
_DAY_MS: Final = 24 * 3600 * 1000
_NAME: Final = "retention_days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how long finished jobs and unused uploads are kept."""

    days: float
    """0: until somebody deletes them"""
    default_days: float
    """What the environment says, which holds until somebody sets another"""
    changed_at: datetime | None = None
    """None when nobody did"""
    changed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionEffect:
    """What a number of days would have deleted by now."""

    jobs: int
    uploads: int


class RetentionRule:
    """The rule of one installation, which all its processes read from the database; safe to share by threads."""

    def __init__(self, database: sa.Engine, default_days: float) -> None:
        self._database = database
        self._default = default_days
        self._seen = Watch(lambda _: self._find(), lambda _: False)

    def days(self) -> float:
        """As it was at most a second ago."""
        return self._seen.look("").days

    def days_now(self) -> float:
        """As the database says right now: what is deleted cannot be brought back."""
        return self._find().days

    @needs(Role.ADMIN)
    def get(self) -> Retention:
        """The rule, and who made it."""
        return self._find()

    @needs(Role.ADMIN)
    def preview(self, days: float) -> RetentionEffect:
        """What the next upkeep of a worker would delete; INVALID_INPUT as for `change`."""
        if days != self._default:  # the environment's own may be anything
            _check(days)
        if days == 0:
            return RetentionEffect(jobs=0, uploads=0)
        with tables.transaction(self._database) as connection:
            jobs, uploads = count_old(connection, _moment_before(days))
        return RetentionEffect(jobs=jobs, uploads=uploads)

    @deed("retention.change", Role.ADMIN)
    def change(self, days: float | None) -> Retention:
        """Every worker obeys with its next upkeep, within the hour; None: as the environment says.

        INVALID_INPUT for anything but 0 and LEAST_RETENTION_DAYS to MOST_RETENTION_DAYS.
        """
        if days is not None:
            _check(days)
        with tables.transaction(self._database) as connection:
            if days is None:
                connection.execute(sa.delete(tables.settings).where(tables.settings.c.name == _NAME))
            else:
                self._write(connection, days)
        return self._seen.look_anew("")

    def _write(self, connection: sa.Connection, days: float) -> None:
        values = {"value": days, "changed_ms": moments.now_ms(), "changed_by": current_actor().name}
        row = tables.insert_or_update(self._database, tables.settings).values(name=_NAME, **values)
        connection.execute(row.on_conflict_do_update(index_elements=[tables.settings.c.name], set_=values))

    def _find(self) -> Retention:
        with tables.transaction(self._database) as connection:
            row = connection.execute(sa.select(tables.settings).where(tables.settings.c.name == _NAME)).one_or_none()
        if row is None:
            return Retention(days=self._default, default_days=self._default)
        return Retention(
            days=float(row.value),
            default_days=self._default,
            changed_at=moments.moment_of(row.changed_ms),
            changed_by=row.changed_by,
        )


def apply_retention(queue: JobQueue, outputs: Outputs, media: MediaLibrary, days: float) -> None:
    """Delete jobs that finished more than `days` ago, and uploads as old that no job uses; 0 deletes nothing."""
    if days <= 0:
        return
    before = _moment_before(days)
    deleted = 0
    while old := queue.finished_before(before, _PAGE):
        for job in old:
            outputs.delete_job(job.id)
        deleted += len(old)
    uploads = media.delete_unused(before)
    if deleted or uploads:
        _log.info("retention: deleted %d jobs and %d uploads older than %g days", deleted, uploads, days)


def _moment_before(days: float) -> int:
    return moments.now_ms() - int(days * _DAY_MS)


def _check(days: float) -> None:
    if days != 0 and not LEAST_RETENTION_DAYS <= days <= MOST_RETENTION_DAYS:
        raise ChorusError(
            ErrorKind.INVALID_INPUT, "retention-days", least=LEAST_RETENTION_DAYS, most=MOST_RETENTION_DAYS
        )
