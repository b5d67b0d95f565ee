"""What `chorus run` shows: a bar a video on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from services.printable import printable

_LINE_SECONDS = 5.0


class Display(Protocol):
    """Shows each video by its label."""

    def add(self, label: str) -> None:
        """A video that waits."""

    def update(self, label: str, progress: Mapping[str, Any] | None, state: str) -> None:
        """Where its job is; `progress` as the API gives it, None while the job waits."""

    def succeed(self, label: str, output: Path) -> None:
        """Its output lies at `output`."""

    def fail(self, label: str, reason: str) -> None:
        """It has no output, for this reason."""

    def say(self, line: str) -> None:
        """A line that belongs to no video."""


@contextmanager
def open_display() -> Iterator[Display]:
    """The display that suits stdout."""
    console = Console()
    if not console.is_terminal:
        yield Lines(console)
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[status]}", markup=False),
        console=console,
    ) as progress:
        yield Bars(progress)


class Bars:
    """One bar a video."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def add(self, label: str) -> None:
        self._bars[label] = self._progress.add_task(label, total=1, status="waiting")

    def update(self, label: str, progress: Mapping[str, Any] | None, state: str) -> None:
        bar = self._bars[label]
        if progress and progress["frames_total"]:
            self._progress.update(bar, total=progress["frames_total"], completed=progress["frames_done"])
        self._progress.update(bar, status=status_text(progress, state))

    def succeed(self, label: str, output: Path) -> None:
        self._progress.update(self._bars[label], total=1, completed=1, status=f"done  {printable(str(output))}")

    def fail(self, label: str, reason: str) -> None:
        self._progress.update(self._bars[label], status="failed")
        self.say(f"{label} failed: {reason}")

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False)


class Lines:
    """A line whenever a stage begins, and every few seconds within it; a video that waits says so once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, tuple[str, float]] = {}

    def add(self, label: str) -> None:
        """Nothing to say yet."""

    def update(self, label: str, progress: Mapping[str, Any] | None, state: str) -> None:
        stage, now = str(progress["stage"]) if progress else state, time.monotonic()
        last_stage, last_time = self._last.get(label, ("", 0.0))
        if stage != last_stage or (progress is not None and now - last_time > _LINE_SECONDS):
            self._last[label] = (stage, now)
            self.say(f"{label}: {status_text(progress, state)}")

    def succeed(self, label: str, output: Path) -> None:
        self.say(f"{label}: done  {printable(str(output))}")

    def fail(self, label: str, reason: str) -> None:
        self.say(f"{label} failed: {reason}")

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def status_text(progress: Mapping[str, Any] | None, state: str) -> str:
    """Stage, frames, frames a second and time left, as far as they are known."""
    if progress is None:
        return state
    parts = [str(progress["stage"])]
    if progress["frames_total"]:
        parts.append(f"{progress['frames_done']}/{progress['frames_total']} frames")
    if progress["frames_per_second"]:
        parts.append(f"{progress['frames_per_second']:.0f} frames/s")
    if progress["seconds_left"] is not None:
        parts.append(f"{_clock(progress['seconds_left'])} left")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
