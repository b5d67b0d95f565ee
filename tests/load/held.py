"""What a running stack holds, sample by sample: memory, descriptors and threads of each role, bytes on its disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Final

import psutil

from tests.bench.process_costs import role_of

SAMPLE_SECONDS: Final = 10.0
_MIB: Final = 1 << 20
_NOT_HELD: Final = ("render child", "reading child", "probe child", "starting")
"""Roles whose processes come and go with their work, or after so many files"""


@dataclass(slots=True)
class Series:
    """Of each name one value a sample, the first at the beginning."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def quarter(self, name: str, number: int) -> float:
        """The median of the first (0) to the last (3) quarter of that name's values."""
        return median(quarter_of(self.values[name], number))


def quarter_of(values: list[float], number: int) -> list[float]:
    """The values of that quarter, in order; at least four have to be there."""
    size = len(values) // 4
    return values[number * size : (number + 1) * size] if number < 3 else values[3 * size :]


@contextmanager
def sampled(root: psutil.Process, home: Path) -> Iterator[Series]:
    """Watches `root`, all that runs below it and the folder `home` during the block.

    Children that come and go are left out, as their memory is not held.
    """
    series, done = Series(), Event()
    watcher = Thread(target=_watch, args=(root, home, series, done), name="samples")
    watcher.start()
    try:
        yield series
    finally:
        done.set()
        watcher.join()


def _watch(root: psutil.Process, home: Path, series: Series, done: Event) -> None:
    while not done.wait(SAMPLE_SECONDS):
        for name, value in (_held(root) | _stored(home)).items():
            series.values[name].append(value)


def _held(root: psutil.Process) -> dict[str, float]:
    held: dict[str, float] = defaultdict(float)
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.Error):
            role = role_of(process)
            if role not in _NOT_HELD:
                held[f"{role}: memory, MiB"] += process.memory_full_info().pss / _MIB
                held[f"{role}: descriptors"] += process.num_fds()
                held[f"{role}: threads"] += process.num_threads()
    return held


def _stored(home: Path) -> dict[str, float]:
    stored: dict[str, float] = dict.fromkeys(("disk: log, MiB", "disk: the rest, MiB", "disk: files"), 0.0)
    for path in home.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                stored["disk: files"] += 1
                is_log = ".log" in path.name or path.name == "up.out"
                stored["disk: log, MiB" if is_log else "disk: the rest, MiB"] += path.stat().st_size / _MIB
    return stored
