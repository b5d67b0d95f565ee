"""Which workers are alive, and taking over the jobs of the dead: session locks of PostgreSQL."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import sqlalchemy as sa

from services.jobs.engine.beats import SilentWorkers, forget_worker

_log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 5.0
_CHECK_SECONDS: Final = 1.0
# How long a lock must be free before its worker counts as dead: a live one that lost its session has it again by then.
_GRACE_SECONDS: Final = 3.0
_TRY_LOCK: Final = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_UNLOCK: Final = sa.text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")
# The server's side of _CHECK_SECONDS: a worker that is frozen, or on a machine that vanished, holds nothing for ever.
_END_WHEN_SILENT: Final = sa.text("SET idle_session_timeout = '30s'")
_SHARE_LOCK: Final = sa.text("SELECT pg_advisory_lock_shared(hashtextextended(:name, 0))")
# Who holds the lock of a number, which is halved in this view.
_HOLDING: Final = (
    "FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
    " WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND datname = current_database()"
    " AND (classid::bigint << 32 | objid::bigint) ="
)
# In one question, since a lock at a time would be a million of them every five seconds for a thousand workers.
_WITHOUT_LOCK: Final = sa.text(
    "SELECT DISTINCT executor_id FROM dbos.workflow_status AS job WHERE status = 'PENDING'"  # noqa: S608  # constants
    f" AND NOT EXISTS (SELECT {_HOLDING} hashtextextended(:prefix || job.executor_id, 0))"
)
_END_HOLDER: Final = sa.text(f"SELECT pg_terminate_backend(pid) {_HOLDING} hashtextextended(:name, 0)")
_HOLDERS: Final = sa.text(f"SELECT count(*) {_HOLDING} hashtextextended(:name, 0)")
_PREFIX: Final = "chorus:worker:"
# Every worker holds it with all others, so that they can be counted.
_ALL: Final = "chorus:workers"
# Who looks for the dead.
_LEADER: Final = "chorus:sweep"


class TakeOver:
    """PostgreSQL only: holds this worker's session lock, and re-queues the jobs of workers that hold theirs no more.

    The server itself frees the lock when the process or its machine is gone: within seconds, and with no false alarm.
    The lock of a worker that lives but does nothing (beats.py) is taken away by ending its session. A worker
    whose session ended while it lives (the database was restarted) takes its lock again and its jobs go on. If a peer
    took them over before that, DBOS refuses the next word that a job writes, which ends it here.

    One worker at a time looks for the dead, as long as it holds one more lock: with n of them looking at n locks, the
    cost would grow with the square of n.
    """

    def __init__(
        self,
        database: sa.Engine,
        executor_id: str,
        recover: Callable[[str], None],
        counted: Callable[[int], None],
        is_hung: Callable[[], object],
        beat_seconds: float,
    ) -> None:
        """`recover` re-queues the jobs of one dead executor; `counted` is told after each sweep how many workers live.

        The lock is held when this returns. While `is_hung`, a lock that a peer took away is not taken again.
        `beat_seconds` is how often workers beat.
        """
        self._database = database.execution_options(isolation_level="AUTOCOMMIT")
        self._executor_id = executor_id
        self._recover, self._counted = recover, counted
        self._is_hung = is_hung
        self._beat_seconds = beat_seconds
        self._silent = SilentWorkers()
        self._stop, self._retired = threading.Event(), threading.Event()
        self._leads = False
        self._hold = self._take_lock()
        self._is_silent = False
        self._thread = threading.Thread(target=self._run, name="take-over", daemon=True)

    def start(self) -> None:
        """Begin to sweep; only after DBOS was launched."""
        self._thread.start()

    def count_workers(self) -> int:
        """How many workers live, this one included."""
        with self._database.connect() as connection:
            return int(connection.execute(_HOLDERS, {"name": _ALL}).scalar_one())

    def retire(self) -> None:
        """Leave the sweeps to a peer while this worker's last jobs go on; DBOS, which is told to stop, is no help."""
        self._retired.set()

    def stop(self) -> None:
        """Let go of the lock; only after this worker's last job has ended."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(SWEEP_SECONDS)
        self._drop_lock()

    def _run(self) -> None:
        next_sweep = time.monotonic() + SWEEP_SECONDS
        next_look = time.monotonic() + self._beat_seconds
        while not self._stop.wait(_CHECK_SECONDS):
            try:
                self._keep_lock()
                self._is_silent = False
                if time.monotonic() >= next_sweep:
                    next_sweep = time.monotonic() + SWEEP_SECONDS
                    self._sweep_as_leader()
                if self._leads and time.monotonic() >= next_look:
                    next_look = time.monotonic() + self._beat_seconds
                    self._end_silent()
            except sa.exc.OperationalError as error:
                if not self._is_silent:
                    _log.warning("the database does not answer; jobs wait for it: %s", error.orig)
                self._is_silent = True
            except Exception:
                # Tried again a second later: nothing may end the taking over.
                _log.exception("the watch over workers failed")

    def _keep_lock(self) -> None:
        if self._hold is not None:
            try:
                self._hold.execute(sa.text("SELECT 1"))
                return
            except sa.exc.DBAPIError:
                _log.warning("lost the session that shows that this worker is alive")
                self._drop_lock()
        if self._is_hung():
            return
        self._hold = self._take_lock()
        if self._hold is not None:
            _log.warning("this worker shows again that it is alive")

    def _take_lock(self) -> sa.Connection | None:
        """The session that holds it, or None while a peer tries whether this worker lives."""
        with ExitStack() as undo:
            connection = undo.enter_context(self._database.connect())
            if not connection.execute(_TRY_LOCK, {"name": _PREFIX + self._executor_id}).scalar_one():
                return None
            connection.execute(_END_WHEN_SILENT)
            connection.execute(_SHARE_LOCK, {"name": _ALL})
            undo.pop_all()
            return connection

    def _drop_lock(self) -> None:
        if self._hold is not None:
            self._hold.invalidate()
            self._hold.close()
            self._hold = None
            self._leads = False

    def _sweep_as_leader(self) -> None:
        if self._hold is None:
            return
        if self._retired.is_set():
            if self._leads:
                self._hold.execute(_UNLOCK, {"name": _LEADER})
            self._leads = False
            return
        self._leads = self._leads or bool(self._hold.execute(_TRY_LOCK, {"name": _LEADER}).scalar_one())
        if self._leads:
            self._sweep()
            self._counted(self.count_workers())

    def _sweep(self) -> None:
        with self._database.connect() as connection:
            silent = set(connection.execute(_WITHOUT_LOCK, {"prefix": _PREFIX}).scalars()) - {self._executor_id, None}
        if not silent or self._stop.wait(_GRACE_SECONDS):
            return
        with self._database.connect() as connection:
            for executor_id in silent:
                self._take_over(connection, executor_id)

    def _end_silent(self) -> None:
        """End the sessions that show the life of workers that do nothing: then they count as gone."""
        with self._database.connect() as connection:
            for executor_id in self._silent.look(connection):
                if executor_id != self._executor_id:
                    _log.warning("worker %s lives but does nothing: its jobs are taken over", executor_id)
                    connection.execute(_END_HOLDER, {"name": _PREFIX + executor_id})
                    forget_worker(connection, executor_id)

    def _take_over(self, connection: sa.Connection, executor_id: str) -> None:
        name = {"name": _PREFIX + executor_id}
        if not connection.execute(_TRY_LOCK, name).scalar_one():
            return
        try:
            _log.warning("worker %s is gone: its jobs are queued again", executor_id)
            self._recover(executor_id)
            forget_worker(connection, executor_id)
        finally:
            connection.execute(_UNLOCK, name)
