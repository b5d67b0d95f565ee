"""Whether a process still does its work: what its /healthz answers from, so that whoever supervises it restarts it.

Work that takes long is no fault. A loop that turns no more is one, and so is a pool where work waits and none begins.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

LOOP_SECONDS: Final = 30.0
POOL_SECONDS: Final = 300.0
_BEAT_SECONDS: Final = 1.0


class Watchdog:
    """The parts of one process that must go on; safe to share by threads."""

    def __init__(self) -> None:
        self._parts: dict[str, Callable[[], bool]] = {}

    def add(self, name: str, is_hung: Callable[[], bool]) -> None:
        """Watch one more part; it takes the place of another of this name."""
        self._parts[name] = is_hung

    def hung(self) -> list[str]:
        """The parts that do not go on; nothing is waited for."""
        return [name for name, is_hung in list(self._parts.items()) if is_hung()]


class Beat:
    """Something that happens again and again, as long as all is well."""

    def __init__(self, seconds: float) -> None:
        """It counts as late when nothing was heard of it for `seconds`."""
        self._seconds = seconds
        self._last = time.monotonic()

    def __call__(self) -> None:
        """It has happened."""
        self._last = time.monotonic()

    def is_late(self) -> bool:
        """True when it did not happen in time."""
        return time.monotonic() - self._last > self._seconds


async def watch_loop(watchdog: Watchdog, name: str = "event loop") -> None:
    """Let the running loop be one of the parts, until this is cancelled."""
    beat = Beat(LOOP_SECONDS)
    watchdog.add(name, beat.is_late)
    while True:
        beat()
        await asyncio.sleep(_BEAT_SECONDS)


class WatchedThreads(ThreadPoolExecutor):
    """A pool that knows whether it is stuck: something waits, and nothing has begun for a time."""

    def __init__(self, threads: int, name: str, *, stuck_seconds: float = POOL_SECONDS) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self._stuck_seconds = stuck_seconds
        self._counting = threading.Lock()
        self._waiting = 0
        self._moved = time.monotonic()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As that of every executor."""
        self._count(1)
        try:
            future = super().submit(self._begin, fn, args, kwargs)
        except BaseException:
            self._count(-1)
            raise
        future.add_done_callback(self._leave)
        return future

    def is_stuck(self) -> bool:
        """True when all threads are held by what does not end."""
        with self._counting:
            return self._waiting > 0 and time.monotonic() - self._moved > self._stuck_seconds

    def _begin(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self._count(-1)
        return fn(*args, **kwargs)

    def _leave(self, future: Future[Any]) -> None:
        if future.cancelled():  # before it began
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._counting:
            if change < 0 or not self._waiting:
                self._moved = time.monotonic()
            self._waiting += change
