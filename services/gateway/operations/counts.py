"""How often somebody has done something lately, counted over all api processes; what rate limits rest on."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter
from typing import Final

import sqlalchemy as sa

from services.errors import ChorusError
from services.jobs import tables

_log = logging.getLogger(__name__)

_EXCHANGE_SECONDS: Final = 1.0
_KEPT_SECONDS: Final = 3600

Window = tuple[str, int]
"""Whose, and since when: a key, and a multiple of the window's length in seconds"""


class SharedCounts:
    """Counts of windows of time in the database, all processes' together; safe to share by threads.

    `hit` counts here and at once; `exchange` gives what was counted here to the others, and learns what they have
    counted. When the database does not answer, what is known here must do.
    """

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._mine: Counter[Window] = Counter()
        self._all: Counter[Window] = Counter()
        self._asked: set[Window] = set()

    def hit(self, key: str, most: int, seconds: int) -> bool:
        """Count once more under `key`; False, and not counted, when that were more than `most` in the last `seconds`.

        As a sliding window: this one's count, and of the last one's the share that still lies in it.
        """
        total, since = self._count(key, seconds)
        if total <= most:
            return True
        self._add((key, since), -1)
        return False

    def count(self, key: str, seconds: int) -> float:
        """Count once more under `key`; how many there were in the last `seconds` with this one."""
        return self._count(key, seconds)[0]

    def _count(self, key: str, seconds: int) -> tuple[float, int]:
        """How many there are in the sliding window with this one, and since when the window is that it was put in."""
        now = time.time()
        since = int(now) // seconds * seconds
        before = self._add((key, since - seconds), 0) * (since + seconds - now) / seconds
        return before + self._add((key, since), 1), since

    def _add(self, window: Window, amount: int) -> int:
        """How many there are then, as far as is known here."""
        with self._lock:
            self._asked.add(window)
            self._mine[window] += amount
            return self._mine[window] + self._all[window]

    def exchange(self) -> None:
        """Put what was counted since the last exchange into the database, and take all totals from there."""
        with self._lock:
            asked, mine = self._asked, self._mine
            self._asked, self._mine = set(), Counter()
        if not asked:
            return
        try:
            totals = self._write(asked, mine)
        except ChorusError as error:
            _log.warning("rates are counted for this process alone: %s", error)
            with self._lock:
                self._mine.update(_recent(mine))
                self._asked |= {window for window in asked if window in self._mine}
            return
        with self._lock:
            self._all.update({window: total - self._all[window] for window, total in totals.items()})
            self._all = _recent(self._all)

    def sweep(self) -> None:
        """Remove the counts of windows that are long over."""
        table = tables.rate_counts
        with tables.transaction(self._database) as connection:
            connection.execute(sa.delete(table).where(table.c.since < int(time.time()) - _KEPT_SECONDS))

    def _write(self, asked: set[Window], mine: Counter[Window]) -> dict[Window, int]:
        table = tables.rate_counts
        insert = tables.insert_or_update(self._database, table)
        totals = {}
        with tables.transaction(self._database) as connection:
            # In order: two processes that write the same rows must not wait for each other.
            for key, since in sorted(asked):
                row = insert.values(key=_digest(key), since=since, count=mine[key, since])
                added = row.on_conflict_do_update(
                    index_elements=[table.c.key, table.c.since], set_={"count": table.c.count + row.excluded.count}
                )
                totals[key, since] = int(connection.execute(added.returning(table.c.count)).scalar_one())
        return totals


class ExactCounts(SharedCounts):
    """The same, but exchanged with every count: for what is rare, and must not be done once more in each process."""

    def _add(self, window: Window, amount: int) -> int:
        super()._add(window, amount)
        self.exchange()
        return super()._add(window, 0)


class CountExchange:
    """Exchanges counts in the background, once a second as long as something is counted."""

    def __init__(self, counts: SharedCounts) -> None:
        self._counts = counts
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="count-exchange", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Exchange once more, and end; call it once."""
        self._stop.set()
        self._thread.join(_EXCHANGE_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(_EXCHANGE_SECONDS):
            self._counts.exchange()
        self._counts.exchange()


def _recent(counts: Counter[Window]) -> Counter[Window]:
    oldest = int(time.time()) - _KEPT_SECONDS
    return Counter({window: total for window, total in counts.items() if window[1] > oldest})


def _digest(key: str) -> str:
    """Keys hold addresses and names, of any length: nobody needs to read them in the database."""
    return hashlib.sha256(key.encode()).hexdigest()
