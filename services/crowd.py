"""How many of something may be there at once, in all and of one client."""

from __future__ import annotations

from collections import Counter


class Crowd:
    """Who is here, by client; for one event loop."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._here: Counter[str] = Counter()

    def enter(self, client: str) -> bool:
        """Count one more; False, and not counted, when that were too many."""
        if self._here.total() >= self._most or self._here[client] >= self._most_of_one:
            return False
        self._here[client] += 1
        return True

    def is_half_full(self) -> bool:
        """True when as many have come as may still come, or more."""
        return 2 * self._here.total() >= self._most

    def leave(self, client: str) -> None:
        """One that had entered is gone."""
        self._here[client] -= 1
        if not self._here[client]:
            del self._here[client]
