"""Following jobs and batches live: however many people watch one of them, it is looked up once a second."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Final, Generic, TypeVar

_LOOK_SECONDS: Final = 1.0

Seen = TypeVar("Seen")


class Watch(Generic[Seen]):
    """Shares each look at a thing between all who follow it; safe to share by threads."""

    def __init__(self, find: Callable[[str], Seen], has_ended: Callable[[Seen], bool]) -> None:
        """`find` returns the thing with an id, or raises NOT_FOUND; nothing changes after it `has_ended`."""
        self._find = find
        self._has_ended = has_ended
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, Seen]] = {}

    def look(self, wanted_id: str) -> Seen:
        """The thing as it was at most a second ago."""
        now = time.monotonic()
        with self._lock:
            seen = self._seen.get(wanted_id)
            if seen is not None and now - seen[0] < _LOOK_SECONDS:
                return seen[1]
        return self.look_anew(wanted_id)

    def look_anew(self, wanted_id: str) -> Seen:
        """The thing as it is now."""
        found, now = self._find(wanted_id), time.monotonic()
        with self._lock:
            self._seen = {key: each for key, each in self._seen.items() if now - each[0] < _LOOK_SECONDS}
            self._seen[wanted_id] = (now, found)
        return found

    async def follow(self, wanted_id: str) -> AsyncIterator[Seen]:
        """The thing now and after each change, to its end; holds no thread between two looks."""
        last: Seen | None = None
        while True:
            now = await asyncio.to_thread(self.look, wanted_id)
            if last is None and self._has_ended(now):
                # Seen a moment ago: a retry may have come since.
                now = await asyncio.to_thread(self.look_anew, wanted_id)
            if now != last:
                yield now
            if self._has_ended(now):
                return
            last = now
            await asyncio.sleep(_LOOK_SECONDS)
