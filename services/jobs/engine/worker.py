"""The worker's side of the engine: takes jobs from the queue, runs them, and stops within seconds."""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.folders import lock_file
from services.jobs import tables
from services.jobs.engine import names
from services.jobs.engine.beats import WorkerBeats
from services.jobs.engine.dbos_log import configure_dbos_log
from services.jobs.engine.dbos_pauses import end_pauses_with, list_queues_seldom, notice_ends, rest_from_upkeep
from services.jobs.engine.dbos_waits import wait_for_disk
from services.jobs.engine.liveness import TakeOver
from services.jobs.engine.news import DatabaseNews, News
from services.jobs.engine.runner import JobRunner, RenderSettings
from services.jobs.engine.turns import put_first
from services.jobs.families import family_cards
from services.storage import Storage
from services.watchdog import LOOP_SECONDS, Beat, Watchdog

_log = logging.getLogger(__name__)

# A job waits for half of it on average; 0.2 s would cost a machine that idles several per cent of a core.
_POLL_SECONDS: Final = 0.5
# Many workers look one after another, so that a job is found as soon; all together look so often a second.
_POLLS_A_SECOND: Final = 200
# No longer than this, which a new job may wait for.
_LONGEST_POLL_SECONDS: Final = 2.0
# On SQLite, where all that is written is told.
_TOLD_POLL_SECONDS: Final = 5.0
# Of DBOS, beside one for each job: its two queues, their list and its upkeep take turns.
_SESSIONS: Final = 3
_UNWIND_SECONDS: Final = 4
_EXIT_SECONDS: Final = 9.0
_LOOK_SECONDS: Final = 0.5
_UPKEEP_SECONDS: Final = 3600.0
_THREADS: Final = 64


class Worker:
    """One worker of this process; DBOS allows one at a time."""

    def __init__(
        self,
        database: sa.Engine,
        storage: Storage,
        settings: RenderSettings,
        *,
        slots: int,
        drain_seconds: float,
        beat_seconds: float,
    ) -> None:
        """`drain_seconds`: how long running jobs may go on at a stop; `beat_seconds`: see beats.py.

        CONFLICT when another worker uses the same SQLite database or scratch folder.
        """
        self.takes_jobs = threading.Event()
        """Set from the moment when the queue is read until the worker is told to stop"""
        self.watchdog = Watchdog()
        """What of it must go on"""
        self._looked = Beat(LOOP_SECONDS)
        self._database = database
        self._slots = slots
        self._drain_seconds = drain_seconds
        self._beat_seconds = beat_seconds
        self._path = tables.sqlite_path(database)
        # DBOS re-queues all jobs of its own id when it starts, so an id must never be shared by two live workers.
        self._executor_id = "local" if self._path else f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._locks = _claim(self._path, settings.scratch)
        self._news = DatabaseNews(self._path) if self._path else News()
        self._runner = JobRunner(database, storage, settings)

    def run(self, stop: threading.Event, upkeep: Callable[[], None]) -> None:
        """Work until `stop` is set; `upkeep` is called at the start and once an hour."""
        telemetry.worker_starts(self._slots, family_cards(), ErrorKind)
        self._runner.sweep()
        self._runner.warm()
        take_over = None
        if not self._path:
            take_over = TakeOver(
                self._database, self._executor_id, self._recover, _pace, self.watchdog.hung, self._beat_seconds
            )
        beats = WorkerBeats(self._database, self._executor_id, self._slots, self.watchdog, self._beat_seconds)
        # On SQLite DBOS queues what an earlier worker of this id ran, when it starts.
        put_first(self._database, self._executor_id)
        try:
            self._launch(beats.polled, take_over.count_workers() if take_over else 1)
            beats.start()
            if take_over is not None:
                take_over.start()
            _log.info("worker %s is ready, %d slots", self._executor_id, self._slots)
            self.takes_jobs.set()
            self._work(stop, upkeep)
        finally:
            self.takes_jobs.clear()
            if take_over is not None:
                take_over.retire()
            _exit_in_time(self._drain_seconds + _EXIT_SECONDS)
            beats.drain()
            self._news.close()
            self._stop_jobs()
            if take_over is not None:
                take_over.stop()
            beats.stop()
            self._runner.close()
            self._locks.close()

    def _recover(self, executor_id: str) -> None:
        put_first(self._database, executor_id)
        # Private to DBOS, but the only call that keeps the count of a job that kills its workers; a test holds it.
        DBOS._recover_pending_workflows([executor_id])

    def _work(self, stop: threading.Event, upkeep: Callable[[], None]) -> None:
        self._looked()
        self.watchdog.add("main loop", self._looked.is_late)
        threading.Thread(target=_keep_up, args=(stop, upkeep), name="upkeep", daemon=True).start()
        # Short waits: a signal that another thread received must not stay unseen.
        while not stop.wait(_LOOK_SECONDS):
            self._looked()
        self.watchdog.add("main loop", lambda: False)  # what follows ends in its own time

    def _launch(self, polled: Callable[[], None], workers: int) -> None:
        configure_dbos_log()
        wait_for_disk()
        config: DBOSConfig = {
            "name": names.APPLICATION,
            "system_database_url": names.dbos_url(self._database),
            "application_version": names.APPLICATION_VERSION,
            "executor_id": self._executor_id,
            "log_level": "WARNING",
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": _THREADS,
            "sys_db_pool_size": _SESSIONS + self._slots,
            "sys_db_idle_transaction_timeout_sec": tables.IDLE_IN_TRANSACTION_SECONDS,
            # Nobody waits for events. With n workers, each word of a job would wake n sessions.
            "use_listen_notify": False,
        }
        dbos = DBOS(config=config)
        rest_from_upkeep(dbos)
        self._register_workflow()
        end_pauses_with(self._news, polled)
        DBOS.launch()
        list_queues_seldom(dbos)
        notice_ends(dbos, self._news.tell)
        DBOS.register_queue(
            names.QUEUE,
            worker_concurrency=self._slots,
            polling_interval_sec=_TOLD_POLL_SECONDS if self._path else poll_seconds(workers),
            on_conflict="always_update",
        )

    def _register_workflow(self) -> None:
        runner = self._runner

        @DBOS.step(name="render_and_publish")
        def render_and_publish(job_id: str) -> None:
            # An event written inside a step raises a BaseException when the job was cancelled or taken over.
            runner.run(job_id, lambda live: DBOS.set_event(names.LIVE_EVENT, live))

        # One coarse step: the rendered file is local, so a second step could not go on with it on another machine.
        @DBOS.workflow(name=names.WORKFLOW, max_recovery_attempts=names.MAX_RECOVERIES)
        def render_job(job_id: str) -> None:
            render_and_publish(job_id)

    def _stop_jobs(self) -> None:
        # It takes no new job from here on, and waits for the running ones. In a thread, because it may wait for threads
        # of its own much longer than for our jobs.
        seconds = math.ceil(self._drain_seconds) + _UNWIND_SECONDS
        ending = threading.Thread(target=DBOS.destroy, kwargs={"workflow_completion_timeout_sec": seconds})
        ending.daemon = True
        ending.start()
        ending.join(self._drain_seconds)
        self._runner.stopping.set()
        ending.join(_UNWIND_SECONDS)
        # Hand back what was running: it starts again at once elsewhere, and this stop does not count as a crash.
        put_first(self._database, self._executor_id)
        client = names.open_client(self._database)
        running = client.list_workflows(
            status="PENDING", executor_id=self._executor_id, load_input=False, load_output=False
        )
        if running:
            client.resume_workflows([each.workflow_id for each in running], queue_name=names.QUEUE)


def poll_seconds(workers: int) -> float:
    """How long each of so many workers waits between two looks into the queue."""
    return min(max(_POLL_SECONDS, workers / _POLLS_A_SECOND), _LONGEST_POLL_SECONDS)


def _pace(workers: int) -> None:
    """Every worker reads the interval from the queue's row before each look."""
    queue = DBOS.retrieve_queue(names.QUEUE)
    wanted = round(poll_seconds(workers), 1)
    if queue is not None and queue.polling_interval_sec != wanted:
        queue.set_polling_interval_sec(wanted)


def _exit_in_time(seconds: float) -> None:
    """Whatever hangs from here on, the process is gone in time; its jobs go on elsewhere, its children die with it."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()


def _claim(database_path: Path | None, scratch: Path) -> ExitStack:
    """Locks against a second worker, held until the stack is closed."""
    with ExitStack() as locks:
        in_use = ChorusError(ErrorKind.CONFLICT, "scratch-in-use", folder=str(scratch))
        locks.enter_context(lock_file(scratch / "worker.lock", in_use))
        if database_path is not None:
            path = database_path.with_name(f"{database_path.name}.worker.lock")
            in_use = ChorusError(ErrorKind.CONFLICT, "database-in-use", database=str(database_path))
            locks.enter_context(lock_file(path, in_use))
        return locks.pop_all()


def _keep_up(stop: threading.Event, upkeep: Callable[[], None]) -> None:
    while True:
        try:
            upkeep()
        except Exception:
            _log.exception("the hourly upkeep failed; it is tried again in an hour")
        if stop.wait(_UPKEEP_SECONDS):
            return
