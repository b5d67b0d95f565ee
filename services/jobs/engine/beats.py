"""Which workers do their work: each says so in the database now and then, and says nothing when it hangs.

Every half minute by default: a thousand workers shall not cost the database more than 33 small writes a second. A
session lock (liveness.py) tells faster that a process is gone; this tells of one that is there and does nothing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import suppress
from typing import Final

import sqlalchemy as sa

from services.errors import ChorusError
from services.jobs import moments, tables
from services.watchdog import Beat, Watchdog

_log = logging.getLogger(__name__)

# Beats that may be missed before a worker is not counted any more.
_MISSED: Final = 2.5
_LOOKS: Final = 3
_FORGOTTEN_SECONDS: Final = 24 * 3600.0
_QUEUE_SECONDS: Final = 300.0
_TABLE: Final = tables.workers


class WorkerBeats:
    """Writes this worker's beats in a thread of its own, as long as nothing of the worker hangs."""

    def __init__(
        self, database: sa.Engine, executor_id: str, slots: int, watchdog: Watchdog, beat_seconds: float
    ) -> None:
        """Adds to `watchdog` the reading of the queue, whose thread must call `polled` each turn, and itself."""
        self.polled = Beat(_QUEUE_SECONDS)
        self._database = database
        self._executor_id = executor_id
        self._slots = slots
        self._beat_seconds = beat_seconds
        self._watchdog = watchdog
        self._takes_jobs = True
        self._stop = threading.Event()
        self._turn = Beat(_QUEUE_SECONDS)
        self._answers_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="beats", daemon=True)
        watchdog.add("queue", self._is_queue_hung)
        watchdog.add("beats", self._turn.is_late)

    def start(self) -> None:
        """The first beat, and the others after it."""
        self._beat()
        self._thread.start()

    def drain(self) -> None:
        """Say that no new job is taken; the database may be away."""
        self._takes_jobs = False
        self._beat()

    def stop(self) -> None:
        """Say no more, and take back what was said; the database may be away."""
        self._stop.set()
        try:
            with tables.transaction(self._database) as connection:
                forget_worker(connection, self._executor_id)
        except ChorusError as error:
            _log.warning("this worker could not take its leave: %s", error)

    def _run(self) -> None:
        with suppress(ChorusError):  # the next worker that starts does it
            self._forget_old()
        # Not all of those that were started together at the same moment.
        while not self._stop.wait(self._beat_seconds * random.uniform(0.9, 1.0)):  # noqa: S311  # nothing secret
            self._beat()

    def _beat(self) -> None:
        hung = self._watchdog.hung()
        if hung:
            _log.error("%s: this worker does not go on", ", ".join(hung))
        try:
            with tables.transaction(self._database) as connection:
                connection.execute(sa.text("SELECT 1") if hung else self._statement())
        except (ChorusError, sa.exc.SQLAlchemyError):
            self._answers_since = None  # told by others
        else:
            if self._answers_since is None:
                self._answers_since = time.monotonic()
        self._turn()

    def _statement(self) -> sa.Insert:
        values = {
            "takes_jobs": self._takes_jobs,
            "slots": self._slots,
            "until_ms": moments.database_now_ms(self._database) + int(_MISSED * self._beat_seconds * 1000),
        }
        row = tables.insert_or_update(self._database, _TABLE).values(id=self._executor_id, beats=1, **values)
        return row.on_conflict_do_update(
            index_elements=[_TABLE.c.id],
            set_={"beats": _TABLE.c.beats + 1, **{name: row.excluded[name] for name in values}},
        )

    def _is_queue_hung(self) -> bool:
        """A queue that is not read is no fault while the database is away, nor just after, since DBOS waits longer."""
        since = self._answers_since
        if since is None or not self._takes_jobs:
            return False
        return time.monotonic() - since > _QUEUE_SECONDS and self.polled.is_late()

    def _forget_old(self) -> None:
        with tables.transaction(self._database) as connection:
            connection.execute(sa.delete(_TABLE).where(_is_over(self._database, _FORGOTTEN_SECONDS)))


def forget_worker(connection: sa.Connection, executor_id: str) -> None:
    """Remove what a worker has said of itself, since it is gone."""
    connection.execute(sa.delete(_TABLE).where(_TABLE.c.id == executor_id))


def count_taking(connection: sa.Connection) -> int:
    """How many workers take jobs, as far as they say it."""
    there = sa.and_(_TABLE.c.takes_jobs, ~_is_over(connection.engine))
    statement = sa.select(sa.func.count()).select_from(_TABLE).where(there)
    return int(connection.execute(statement).scalar_one())


class SilentWorkers:
    """Finds workers that say nothing any more; call `look` as often as a worker beats.

    Whose beat is old by the database's clock, and does not change over several looks: if the clock jumped, or all
    machines slept, each of them has beaten by then.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}

    def look(self, connection: sa.Connection) -> list[str]:
        """The executor ids of those that were silent for the last looks."""
        old = sa.select(_TABLE.c.id, _TABLE.c.beats).where(_is_over(connection.engine))
        rows = connection.execute(old).all()
        before, self._seen = self._seen, {}
        for executor_id, beats in rows:
            known, looks = before.get(executor_id, (beats, 0))
            self._seen[executor_id] = (beats, looks + 1 if known == beats else 1)
        return [executor_id for executor_id, (_, looks) in self._seen.items() if looks >= _LOOKS]


def _is_over(database: sa.Engine, seconds: float = 0) -> sa.ColumnElement[bool]:
    return _TABLE.c.until_ms < moments.database_now_ms(database) - int(seconds * 1000)
