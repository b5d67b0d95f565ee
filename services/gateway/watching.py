"""Following jobs live: however many people watch one job, it is looked up once a second."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from services.gateway.jobs import FINISHED, Job

_LOOK_SECONDS: Final = 1.0


class JobWatch:
    """Shares each look at a job between all who follow it; safe to share by threads."""

    def __init__(self, find: Callable[[str], Job]) -> None:
        """`find` returns a job, or raises NOT_FOUND."""
        self._find = find
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, Job]] = {}

    def look(self, job_id: str) -> Job:
        """The job as it was at most a second ago."""
        now = time.monotonic()
        with self._lock:
            seen = self._seen.get(job_id)
            if seen is not None and now - seen[0] < _LOOK_SECONDS:
                return seen[1]
        job = self._find(job_id)
        with self._lock:
            self._seen = {key: each for key, each in self._seen.items() if now - each[0] < _LOOK_SECONDS}
            self._seen[job_id] = (now, job)
        return job

    def follow(self, job_id: str, is_wanted: Callable[[], bool]) -> Iterator[Job]:
        """The job now and after each change; ends when it is finished, or when nobody wants to know any more."""
        last: Job | None = None
        while is_wanted():
            job = self.look(job_id)
            if job != last:
                yield job
            if job.state in FINISHED:
                return
            last = job
            time.sleep(_LOOK_SECONDS)

    async def follow_async(self, job_id: str) -> AsyncIterator[Job]:
        """As `follow`, holding no thread between two looks; the event loop cancels it."""
        last: Job | None = None
        while True:
            job = await asyncio.to_thread(self.look, job_id)
            if job != last:
                yield job
            if job.state in FINISHED:
                return
            last = job
            await asyncio.sleep(_LOOK_SECONDS)
