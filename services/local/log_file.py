"""The one log of all processes on this machine: rotating, every record marked with its service."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any

_LINE_LIMIT = 1 << 16
_MESSAGE_LIMIT = 4000
_TAIL_LINES = 20


class LogFile:
    """Three files of 10 MB at most, a JSON record a line; safe to share by threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _QuietFile(path, maxBytes=10_000_000, backupCount=2, encoding="utf-8", delay=True)

    def write(self, service: str, line: str) -> str:
        """Append what a process has printed, a record of our own or the line of another program; its bare message."""
        record = _record(line)
        if record is None:
            record = {"time": datetime.now(UTC).isoformat(), "service": service, "message": line[:_MESSAGE_LIMIT]}
        text = json.dumps({**record, "service": service}, ensure_ascii=False)
        self._file.handle(logging.LogRecord(service, logging.INFO, "", 0, text, None, None))
        return str(record["message"])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Drain:
    """Copies what a process prints into the log until it ends, and keeps its last lines for error messages."""

    def __init__(self, log: LogFile, service: str, output: IO[bytes], *, is_noise: Callable[[str], bool]) -> None:
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._thread = threading.Thread(target=self._run, args=(log, service, output, is_noise), daemon=True)
        self._thread.start()

    def tail(self) -> str:
        """The last lines; after the process's end all of them have arrived."""
        self._thread.join(timeout=1)
        return "\n".join(self._tail)

    def _run(self, log: LogFile, service: str, output: IO[bytes], is_noise: Callable[[str], bool]) -> None:
        with output:
            # readline with a limit: a process that never ends its line cannot fill the memory.
            while raw := output.readline(_LINE_LIMIT):
                line = raw.decode(errors="replace").rstrip()
                if line and not is_noise(line):
                    self._tail.append(log.write(service, line))


def _record(line: str) -> dict[str, Any] | None:
    """The record that a process of ours has written; None for anything else."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "message" in found else None


class _QuietFile(RotatingFileHandler):
    """A full disk costs log lines, nothing else."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Drop the line."""
