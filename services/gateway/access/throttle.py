"""How often somebody may try to log in: guessing is slow, and nobody can keep the owner of a name out by it.

Refused is only who fails too often from one address. Tries for one name from everywhere together are made slower, by
seconds, and not at all from an address where that name has logged in lately.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.gateway.operations.counts import SharedCounts

_MINUTE: Final = 60
_OF_NAME_AND_ADDRESS: Final = 10
# Of all names together: many colleagues may have one address.
_OF_ADDRESS: Final = 60
# From everywhere: above it each further try is a little slower than the last.
_OF_NAME: Final = 30
_SLOWER_SECONDS: Final = 0.25
_SLOWEST_SECONDS: Final = 5.0


class Throttle:
    """Counts tries over all api processes; safe to share by threads."""

    def __init__(self, counts: SharedCounts, is_known: Callable[[str, str], bool]) -> None:
        """`is_known`: whether a name has logged in from an address lately."""
        self._counts = counts
        self._is_known = is_known

    def admit(self, name: str, address: str) -> float:
        """Count a try: how many seconds it shall wait; OVERLOADED when there were too many from that address."""
        if not self._counts.hit(f"login as {name} from {address}", _OF_NAME_AND_ADDRESS, _MINUTE):
            raise too_many_logins()
        if self._is_known(name, address):
            return 0.0
        if not self._counts.hit(f"login from {address}", _OF_ADDRESS, _MINUTE):
            raise too_many_logins()
        return slowness(self._counts.count(f"login as {name}", _MINUTE))

    def admit_from_elsewhere(self, address: str) -> None:
        """Count somebody who comes back from a provider; OVERLOADED when there were too many from that address."""
        if not self._counts.hit(f"login elsewhere from {address}", _OF_ADDRESS, _MINUTE):
            raise too_many_logins()


def slowness(tries: float) -> float:
    """Seconds that a try waits when there were so many for its name in the last minute."""
    return min(_SLOWEST_SECONDS, max(0.0, tries - _OF_NAME) * _SLOWER_SECONDS)


def too_many_logins() -> ChorusError:
    """The refusal of a try."""
    return ChorusError(ErrorKind.OVERLOADED, "too-many-logins")
