"""Whether anything was written into the SQLite file of this machine: its queue is read then, not just by the clock."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

_LOOK_SECONDS: Final = 0.05


class DatabaseNews:
    """Waits for what others write; made anywhere, for one thread.

    SQLite counts the commits of a file where all its processes see it: a look reads no table and takes no lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None
        self._closed = threading.Event()

    def came(self) -> bool:
        """True when another connection has committed since the last look, and at the first: something may lie there."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:  # whoever reads and writes the file tells what is wrong with it
            return False
        before, self._seen = self._seen, version
        return bool(version != before)

    def wait(self, seconds: float) -> None:
        """Until another connection commits, or so long; no more once it is closed."""
        end = time.monotonic() + seconds
        while not self.came() and (left := end - time.monotonic()) > 0:
            if self._closed.wait(min(left, _LOOK_SECONDS)):
                return

    def close(self) -> None:
        """Hold nobody up any more; from any thread. The file is let go of with this object."""
        self._closed.set()
