"""The queue as a scrape finds it: one look into the database at most, kept for some seconds, never waited for long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_log = logging.getLogger(__name__)

_KEPT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """All jobs of the installation."""

    jobs: Mapping[str, int]
    """How many, by state"""
    oldest_seconds: float
    """Since the job that waits longest was queued; 0 when none waits"""
    workers: int
    """That take jobs, as far as they say it"""


class QueueCollector(Collector):
    """Shows `find`'s answer; when none comes in time, the scrape succeeds without it and chorus_database_up is 0."""

    def __init__(
        self,
        find: Callable[[], QueueDepth],
        *,
        kept_seconds: float = _KEPT_SECONDS,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """`find` may raise, or take its time."""
        self._find = find
        self._kept_seconds = kept_seconds
        self._look_seconds = look_seconds
        self._scraping = threading.Lock()
        self._look: _Look | None = None

    def describe(self) -> list[Metric]:
        """Nothing: the registry would otherwise look into the database to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """See docs/metrics.md."""
        depth = self._depth()
        up = 0 if depth is None else 1
        yield GaugeMetricFamily("chorus_database_up", "Whether the database answers this process", up)
        if depth is None:
            return
        jobs = GaugeMetricFamily("chorus_jobs", "Jobs of the whole installation", labels=["state"])
        for state, count in depth.jobs.items():
            jobs.add_metric([state], count)
        yield jobs
        oldest = "Since the job that waits longest was queued"
        yield GaugeMetricFamily("chorus_queue_oldest_age_seconds", oldest, depth.oldest_seconds)
        yield GaugeMetricFamily("chorus_workers", "Workers that say that they take jobs", depth.workers)

    def _depth(self) -> QueueDepth | None:
        with self._scraping:
            look = self._look
            # One that has not ended is waited for again: scrapes must not heap up threads before a silent database.
            if look is None or (look.ended.is_set() and time.monotonic() - look.begun > self._kept_seconds):
                look = self._look = _Look(self._find)
            look.ended.wait(self._look_seconds)
            return look.depth


class _Look:
    """One look in a thread of its own."""

    def __init__(self, find: Callable[[], QueueDepth]) -> None:
        self.begun = time.monotonic()
        self.ended = threading.Event()
        self.depth: QueueDepth | None = None
        self._find = find
        threading.Thread(target=self._run, name="queue-look", daemon=True).start()

    def _run(self) -> None:
        try:
            self.depth = self._find()
        except Exception as error:
            _log.warning("the queue's depth is not known: %s", error)
        finally:
            self.ended.set()


@contextmanager
def queue_watched(find: Callable[[], QueueDepth]) -> Iterator[None]:
    """Inside the block every scrape of this process shows the queue."""
    collector = QueueCollector(find)
    REGISTRY.register(collector)
    try:
        yield
    finally:
        REGISTRY.unregister(collector)
