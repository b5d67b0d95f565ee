"""Which workers are alive, and taking over the jobs of the dead: file locks, and session locks of PostgreSQL."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

import sqlalchemy as sa

from services.errors import ChorusError

_log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 5.0
_LOCK: Final = sa.text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")
_TRY_LOCK: Final = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_UNLOCK: Final = sa.text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")
_LOST_LOCK: Final = 70


def lock_file(path: Path, taken: ChorusError) -> TextIO:
    """Hold `path` for this process alone until the returned file is closed; raises `taken` when another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise taken from None
    return file


class TakeOver:
    """PostgreSQL only: holds this worker's session lock, and re-queues the jobs of workers that hold theirs no more.

    The server itself frees the lock when the process or its machine is gone: no clock, no heartbeat, no false alarm.
    """

    def __init__(self, database: sa.Engine, executor_id: str, recover: Callable[[str], None]) -> None:
        """`recover` re-queues the jobs of one dead executor. The lock is held when this returns."""
        self._database = database.execution_options(isolation_level="AUTOCOMMIT")
        self._executor_id = executor_id
        self._recover = recover
        self._stop = threading.Event()
        self._hold = self._database.connect()
        self._hold.execute(_LOCK, {"name": _lock_name(executor_id)})
        self._thread = threading.Thread(target=self._sweep_until_stopped, name="take-over", daemon=True)

    def start(self) -> None:
        """Begin to sweep; only after DBOS was launched."""
        self._thread.start()

    def stop(self) -> None:
        """End the sweeps, then let go of the lock; only after this worker's last job has ended."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(SWEEP_SECONDS)
        self._hold.close()

    def _sweep_until_stopped(self) -> None:
        while not self._stop.wait(SWEEP_SECONDS):
            self._check_own_lock()
            try:
                self._sweep()
            except Exception:
                # Tried again at the next sweep: a database that restarts must not end the taking over.
                _log.exception("the sweep for dead workers failed")

    def _check_own_lock(self) -> None:
        try:
            self._hold.execute(sa.text("SELECT 1"))
        except sa.exc.DBAPIError:
            # A peer may own our jobs by now. Whoever supervises this process starts it again.
            _log.critical("lost the connection that shows that this worker is alive: it ends at once")
            os._exit(_LOST_LOCK)

    def _sweep(self) -> None:
        pending = sa.text("SELECT DISTINCT executor_id FROM dbos.workflow_status WHERE status = 'PENDING'")
        with self._database.connect() as connection:
            executors = set(connection.execute(pending).scalars()) - {self._executor_id, None}
            for executor_id in executors:
                name = {"name": _lock_name(executor_id)}
                if not connection.execute(_TRY_LOCK, name).scalar_one():
                    continue
                try:
                    _log.warning("worker %s is gone: its jobs are queued again", executor_id)
                    self._recover(executor_id)
                finally:
                    connection.execute(_UNLOCK, name)


def _lock_name(executor_id: str) -> str:
    return f"chorus:worker:{executor_id}"
