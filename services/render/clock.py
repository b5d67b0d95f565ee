"""How far a render is and where its time goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from services import telemetry
from services.jobs.model import Progress, Stage

Item = TypeVar("Item")
Report = Callable[[Progress], None]


@dataclass(slots=True)
class _Stage:
    """From its first beginning to its last end, nanoseconds since 1970, and how often it began between them."""

    begin_ns: int
    end_ns: int = 0
    times: int = 0


class StageClock:
    """Wall-clock seconds of each stage of one render; a stage is measured by one thread at a time."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stages: dict[str, _Stage] = {}
        self._started = time.perf_counter()

    def elapsed(self) -> float:
        """Seconds since the render began."""
        return time.perf_counter() - self._started

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count the block's time as `stage`."""
        started, about = time.perf_counter(), self._stages.setdefault(stage, _Stage(time.time_ns()))
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started
            about.end_ns = time.time_ns()
            about.times += 1

    def record_spans(self) -> None:
        """One span a stage, however often it began: most do once a frame."""
        for name, stage in self._stages.items():
            about = {"chorus.busy_seconds": round(self.seconds[name], 6), "chorus.times": stage.times}
            telemetry.record_span(name, stage.begin_ns, stage.end_ns, about)

    def each(self, stage: str, items: Iterable[Item]) -> Generator[Item, None, None]:
        """The same items; waiting for them counts as `stage`."""
        source = iter(items)
        while True:
            with self.measure(stage):
                item = next(source, None)
            if item is None:
                return
            yield item

    def taken(self, stage: str, items: Iterable[Item]) -> Generator[Item, None, None]:
        """The same items; what their taker does between them counts as `stage`."""
        for item in items:
            with self.measure(stage):
                yield item


def report_each(items: Iterable[Item], total: int, report: Report) -> Generator[Item, None, None]:
    """The same items, one a frame; every one that was taken is reported as rendered."""
    started = time.perf_counter()
    report(Progress(stage=Stage.RENDERING, frames_total=total))
    for done, item in enumerate(items, start=1):
        yield item
        rate = done / max(time.perf_counter() - started, 1e-6)
        left = (total - done) / rate
        report(
            Progress(
                stage=Stage.RENDERING, frames_done=done, frames_total=total, frames_per_second=rate, seconds_left=left
            )
        )
