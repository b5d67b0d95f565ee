"""The one log that all processes of a one-machine installation share: read, filtered by job, and followed."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from services.acting import current_actor
from services.errors import ChorusError, ErrorKind

_LOOK_SECONDS: Final = 0.5
_READ_BYTES: Final = 1 << 20
# Each holds a file open, and takes a thread for a moment twice a second.
_MOST_FOLLOWERS: Final = 64


@dataclass(frozen=True, slots=True)
class LogLine:
    """One record; the text goes on over several lines where there is a traceback."""

    time: str
    """ISO 8601, UTC; empty in a line of an older release, as are the next two"""
    level: str
    service: str
    text: str
    job_id: str = ""
    """The job or batch that was at work"""

    @property
    def whole(self) -> str:
        """As people read it; control characters of names and of other programs are shown, not obeyed."""
        origin = f"{self.service:<10} |" if self.service else ""
        line = " ".join(filter(None, (origin, self.time, self.level, self.text)))
        return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in line)


class RunLog:
    """The log file of this installation and its older parts; safe to share by threads."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._followers = 0

    @property
    def is_available(self) -> bool:
        """False where the processes log to somewhere else, as in a cluster."""
        return self._path is not None

    def lines(self, job_id: str | None = None, *, last: int | None = None) -> Iterable[str]:
        """Every line that is still kept, oldest first, its end included; of one job (or batch), or the last ones.

        UNAVAILABLE at once, not at the first line, where there is no common log.
        """
        lines = (f"{line.whole}\n" for line in _read(self._require_path(), job_id))
        return lines if last is None else deque(lines, maxlen=last)

    def tail(self, lines: int = 200, job_id: str | None = None) -> list[LogLine]:
        """The last records, oldest first."""
        return list(deque(_read(self._require_path(), job_id), maxlen=lines))

    def follow(self, job_id: str | None = None) -> AsyncIterator[list[LogLine]]:
        """What is written from now on, in bundles, until the event loop cancels it; OVERLOADED for too many at once."""
        if self._followers >= _MOST_FOLLOWERS:
            raise ChorusError(ErrorKind.OVERLOADED, "too-many-followers")
        return self._follow(_Follower(self._require_path(), job_id))

    async def _follow(self, follower: _Follower) -> AsyncIterator[list[LogLine]]:
        self._followers += 1
        try:
            with closing(follower):
                while True:
                    if new := await asyncio.to_thread(follower.read):
                        yield new
                    await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._followers -= 1

    def _require_path(self) -> Path:
        current_actor().require_all()
        if self._path is None:
            raise ChorusError(ErrorKind.UNAVAILABLE, "no-common-log")
        return self._path


def _read(path: Path, job_id: str | None) -> Iterator[LogLine]:
    # Three generations, the oldest with the highest number, as services/local writes them.
    for part in (path.with_name(f"{path.name}.2"), path.with_name(f"{path.name}.1"), path):
        if part.exists():
            with part.open(encoding="utf-8", errors="replace") as file:
                yield from (line for line in map(_parse, file) if _is_of(line, job_id))


def _is_of(line: LogLine, job_id: str | None) -> bool:
    """True for the records of a job, and for a batch for those of its jobs, whose ids begin with its own."""
    return job_id is None or line.job_id == job_id or line.job_id.startswith(f"{job_id}.")


class _Follower:
    """Reads what is appended to a file that is now and then renamed and begun anew."""

    def __init__(self, path: Path, job_id: str | None) -> None:
        self._path = path
        self._job_id = job_id
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
        new_lines = (_parse(line.decode(errors="replace")) for line in lines)
        return [line for line in new_lines if _is_of(line, self._job_id)]

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
    try:
        record = json.loads(line)
        message, traceback = str(record["message"]), record.get("exc_info")
    except (ValueError, KeyError, TypeError, AttributeError):
        return LogLine("", "", "", line.rstrip("\n"))
    named = f"{record['logger']}: {message}" if "logger" in record else message
    return LogLine(
        time=_moment(str(record.get("time", ""))),
        level=str(record.get("level", "")),
        service=str(record.get("service", "")),
        text=f"{named}\n{traceback}" if traceback else named,
        job_id=str(record.get("job_id") or ""),
    )


def _moment(text: str) -> str:
    """ISO 8601 in UTC, to the millisecond; what is none as it is."""
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
