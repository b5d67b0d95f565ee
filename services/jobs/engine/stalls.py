"""When a render counts as hung: by what it has done, not by what it says."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.jobs.model import Progress, Stage

# A machine that slept, or a worker that was stopped, has not watched all that time.
_MOST_BETWEEN_LOOKS: Final = 2.0
_MEASURE_SECONDS: Final = 1.0


def stalled(name: str, seconds: float) -> ChorusError:
    """Why a try was given up that did nothing for `seconds`."""
    return ChorusError(ErrorKind.DEADLINE, "render-stalled", name=name, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class StallLimits:
    """How long each stage of a try may show no progress, seconds."""

    starting: float
    """Until the child has begun and its files are here; every byte that comes is progress"""
    fetching: float
    """Until preprocess has the video, or the recording, and can say how long it is"""
    analysing: float
    """Progress is another frame of the video, or another piece of the recording"""
    rendering: float
    """Progress is another frame, or a byte more of the output"""
    publishing: float
    """The whole stage, which takes a second more for each MiB of the output"""


class StallWatch:
    """Watches one try; call `look` twice a second or oftener."""

    def __init__(self, limits: StallLimits, folder: Path) -> None:
        """`folder` is where the try writes; it grows while files are fetched, encoded and finished."""
        self._limits = limits
        self._folder = folder
        self._seen = Progress(stage=Stage.STARTING)
        self._bytes = 0
        self._idle = 0.0
        self._looked = time.monotonic()
        self._measured = 0.0

    def note(self, progress: Progress) -> None:
        """What the child says; the same once more is no progress."""
        if _place(progress) != _place(self._seen):
            self._idle = 0.0
        self._seen = progress

    def look(self) -> float | None:
        """The seconds in which nothing has happened, when these are more than the stage may take."""
        now = time.monotonic()
        self._idle += min(now - self._looked, _MOST_BETWEEN_LOOKS)
        self._looked = now
        if now - self._measured >= _MEASURE_SECONDS:
            self._measured = now
            self._measure()
        limit = self._limit()
        return limit if self._idle > limit else None

    def _limit(self) -> float:
        if self._seen.stage is Stage.ANALYSING and not self._seen.frames_total:
            return self._limits.fetching
        return float(getattr(self._limits, self._seen.stage.value))

    def _measure(self) -> None:
        size = _bytes_below(self._folder)
        if size != self._bytes:
            self._bytes, self._idle = size, 0.0


def _place(progress: Progress) -> tuple[Stage, int, int]:
    return progress.stage, progress.frames_done, progress.frames_total


def _bytes_below(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118  # as os.walk gives it
            except FileNotFoundError:  # it was just renamed
                continue
    return total
