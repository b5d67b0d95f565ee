"""What has the queue read before the clock says so: a job of this worker ended, somebody wrote into SQLite's file."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

_LOOK_SECONDS: Final = 0.05


class News:
    """That a slot is free; told from any thread, waited for by one."""

    def __init__(self) -> None:
        # Something may lie in the queue from before.
        self._told = threading.Event()
        self._told.set()
        self._is_closed = False

    def tell(self) -> None:
        """End the wait under way, or the next one."""
        self._told.set()

    def wait(self, seconds: float) -> None:
        """Until something is told, or so long; no more once it is closed."""
        if not self._is_closed:
            self._told.wait(seconds)
            self._told.clear()

    def close(self) -> None:
        """Hold nobody up any more; from any thread."""
        self._is_closed = True
        self._told.set()


class DatabaseNews(News):
    """The same, and that others wrote into the SQLite file of this machine: a new job, perhaps.

    SQLite counts the commits of a file where all its processes see it: a look reads no table and takes no lock.
    """

    def __init__(self, path: Path) -> None:
        """The file is let go of with this object."""
        super().__init__()
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None

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
        """Until something is told, another connection commits, or so long; no more once it is closed."""
        end = time.monotonic() + seconds
        while not self._is_closed and not self.came() and (left := end - time.monotonic()) > 0:
            if self._told.wait(min(left, _LOOK_SECONDS)):
                break
        # What is told from here on finds the look that follows, or ends the next wait.
        self._told.clear()
