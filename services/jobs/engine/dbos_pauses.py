"""How often DBOS does what it does again and again: its pauses before our queue end with news, others are longer.

Private to DBOS, which has no setting for it; tests hold it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from dbos import DBOS, _queue, _workflow_commands

from services.jobs.engine import names
from services.jobs.engine.news import News

# The queue is not read twice within so long, whatever is told.
_LEAST_SECONDS: Final = 0.1
# DBOS's own queue, on which we never put anything, and its list of queues, once it knows ours.
_INTERNAL_SECONDS: Final = 60.0
# Of its upkeep, which is for jobs that are delayed or have a last moment: we have none of either. On PostgreSQL one
# worker spends its pause in a transaction that holds all others off, which the server ends after 5 s.
_UPKEEP_SECONDS: Final = 4.0
_read_queue: Final = _queue.queue_worker_thread


class Pause:
    """What the thread of our queue takes for the event that stops it; it tells `polled` of each of its turns.

    Turns and not looks: while all slots are taken there is nothing to look for.
    """

    def __init__(self, stop: threading.Event, news: News, polled: Callable[[], None]) -> None:
        self._stop = stop
        self._news = news
        self._polled = polled

    def is_set(self) -> bool:
        """True when the thread shall end."""
        return self._stop.is_set()

    def wait(self, timeout: float) -> bool:
        """Until the next look, `timeout` seconds from now at the latest; True when the thread shall end instead."""
        self._polled()
        if not self._stop.wait(min(timeout, _LEAST_SECONDS)):
            self._news.wait(max(timeout - _LEAST_SECONDS, 0.0))
        return self._stop.is_set()


def end_pauses_with(news: News, polled: Callable[[], None]) -> None:
    """Have the thread that reads our queue wait for `news`, too, and tell `polled` that it goes on.

    To be called before DBOS is launched.
    """

    @wraps(_read_queue)
    def read_queue(stop: threading.Event, dbos: Any, queue: Any) -> None:
        _read_queue(Pause(stop, news, polled) if queue.name == names.QUEUE else stop, dbos, queue)  # type: ignore[arg-type]

    _queue.queue_worker_thread = read_queue  # type: ignore[assignment]


def notice_ends(dbos: DBOS, ended: Callable[[], None]) -> None:
    """Have `ended` called whenever a job of this process has ended and its slot is free."""
    running = dbos._active_workflows_set
    remove = running._remove

    @wraps(remove)
    def remove_and_tell(*arguments: Any) -> None:
        remove(*arguments)
        ended()

    running._remove = remove_and_tell  # type: ignore[assignment,method-assign]


def rest_from_upkeep(dbos: DBOS) -> None:
    """Have DBOS do seldom what it does for others; call it before DBOS is launched."""
    dbos._registry.get_internal_queue()._polling_interval_sec = _INTERNAL_SECONDS
    _workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC = _UPKEEP_SECONDS


def list_queues_seldom(dbos: DBOS) -> None:
    """Have DBOS believe its list of queues for a while, once ours is in it; call it when DBOS is launched."""
    read = dbos._sys_db.list_queues
    known: list[Any] = []
    until = 0.0

    @wraps(read)
    def read_seldom(**options: Any) -> list[Any]:
        nonlocal known, until
        if time.monotonic() >= until:
            known = read(**options)
            if any(queue.name == names.QUEUE for queue in known):
                until = time.monotonic() + _INTERNAL_SECONDS
        return known

    dbos._sys_db.list_queues = read_seldom  # type: ignore[method-assign]
