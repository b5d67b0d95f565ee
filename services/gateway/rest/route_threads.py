"""Whether the threads that run routes without `async` go on."""

from __future__ import annotations

import time
from typing import Final

import anyio
import anyio.to_thread

from services.watchdog import POOL_SECONDS, Watchdog

_LOOK_SECONDS: Final = 1.0


async def watch_route_threads(watchdog: Watchdog, stuck_seconds: float = POOL_SECONDS) -> None:
    """Watch them until this is cancelled: they are stuck when calls wait, and the same ones hold them all the time."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    moved = time.monotonic()
    watchdog.add("threads of routes", lambda: time.monotonic() - moved > stuck_seconds)
    held: frozenset[object] = frozenset()
    while True:
        now = limiter.statistics()
        # Who holds one and wants another stands in line behind those who wait.
        if not now.tasks_waiting or held != frozenset(now.borrowers):
            held, moved = frozenset(now.borrowers), time.monotonic()
        await anyio.sleep(_LOOK_SECONDS)
