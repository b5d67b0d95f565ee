"""The one log that all processes of a one-machine installation share: read, filtered by job, and followed."""

from __future__ import annotations

import asyncio
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from services.errors import ChorusError, ErrorKind

_LOOK_SECONDS: Final = 0.5
_READ_BYTES: Final = 1 << 20
_LINE: Final = re.compile(
    r"(?P<service>\S+) *\| (?:(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d+)?) )?(?:(?P<level>[A-Z]{4,8}) )?"
    r"(?P<text>.*)"
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; time and level are empty where it goes on with the line before, as in a traceback."""

    time: str
    level: str
    service: str
    text: str

    @property
    def whole(self) -> str:
        """As it stands in the log."""
        return " ".join(filter(None, (f"{self.service:<10} |", self.time, self.level, self.text)))


class RunLog:
    """The log file of this installation and its older parts; safe to share by threads."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def is_available(self) -> bool:
        """False where the processes log to somewhere else, as in a cluster."""
        return self._path is not None

    def lines(self, job_id: str | None = None, *, last: int | None = None) -> Iterable[str]:
        """Every line that is still kept, oldest first, its end included; of one job (or batch), or the last ones.

        UNAVAILABLE at once, not at the first line, where there is no common log.
        """
        lines = _read(self._require_path(), job_id)
        return lines if last is None else deque(lines, maxlen=last)

    def tail(self, lines: int = 200, job_id: str | None = None) -> list[LogLine]:
        """The last lines, oldest first."""
        return [_parse(line) for line in self.lines(job_id, last=lines)]

    def follow(self, job_id: str | None = None) -> AsyncIterator[list[LogLine]]:
        """What is written from now on, in bundles, until the event loop cancels it."""
        return _follow(_Follower(self._require_path(), job_id))

    def _require_path(self) -> Path:
        if self._path is None:
            raise ChorusError(ErrorKind.UNAVAILABLE, "no-common-log")
        return self._path


def _read(path: Path, job_id: str | None) -> Iterator[str]:
    wanted = _Filter(job_id)
    # Three generations, the oldest with the highest number, as services/local writes them.
    for part in (path.with_name(f"{path.name}.2"), path.with_name(f"{path.name}.1"), path):
        if part.exists():
            with part.open(encoding="utf-8", errors="replace") as file:
                yield from filter(wanted, file)


async def _follow(follower: _Follower) -> AsyncIterator[list[LogLine]]:
    with closing(follower):
        while True:
            if new := await asyncio.to_thread(follower.read):
                yield new
            await asyncio.sleep(_LOOK_SECONDS)


class _Filter:
    """Picks the lines that name a job, with what follows them in a traceback."""

    def __init__(self, job_id: str | None) -> None:
        self._names = None if job_id is None else re.compile(rf"\b{re.escape(job_id)}(?!\d)")
        self._open: set[str] = set()

    def __call__(self, line: str) -> bool:
        if self._names is None:
            return True
        parsed = _parse(line)
        if not parsed.time:
            return parsed.service in self._open
        if self._names.search(line):
            self._open.add(parsed.service)
            return True
        self._open.discard(parsed.service)
        return False


class _Follower:
    """Reads what is appended to a file that is now and then renamed and begun anew."""

    def __init__(self, path: Path, job_id: str | None) -> None:
        self._path = path
        self._wanted = _Filter(job_id)
        self._file: IO[bytes] | None = None
        self._rest = b""
        # Nothing is open until the first read, but what is written from here on is new.
        self._start = path.stat().st_size if path.exists() else 0

    def read(self) -> list[LogLine]:
        """The whole lines that came since the last call."""
        new = self._file.read(_READ_BYTES) if self._file is not None else b""
        if not new and self._is_renewed():
            self.close()
            self._open()
            new = self._file.read(_READ_BYTES) if self._file is not None else b""
        *lines, self._rest = (self._rest + new).split(b"\n")
        texts = (line.decode(errors="replace") for line in lines)
        return [_parse(text) for text in texts if self._wanted(text)]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        self._file = self._path.open("rb") if self._path.exists() else None
        if self._file is not None and self._start <= self._path.stat().st_size:
            self._file.seek(self._start)
        self._start = 0

    def _is_renewed(self) -> bool:
        if self._file is None:
            return True
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False


def _parse(line: str) -> LogLine:
    found = _LINE.match(line.rstrip("\n"))
    if found is None:
        return LogLine("", "", "", line.rstrip("\n"))
    return LogLine(found["time"] or "", found["level"] or "", found["service"], found["text"])
