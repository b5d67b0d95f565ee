"""When one operation is tried again: exponential back-off with jitter, until a deadline."""

from __future__ import annotations

import time
from collections.abc import Collection
from random import SystemRandom
from typing import Final

from chorus_client.errors import RETRYABLE, ChorusError, ErrorKind

STREAM_SECONDS: Final = 600.0
"""After that long a stream that is still open is opened anew, and goes on"""
FINISH_SECONDS: Final = 600.0
"""How long an upload may be looked into: the store copies gigabytes first"""
FORGET_SECONDS: Final = 5.0
"""How long a failed upload may take to be forgotten; by itself it is, some hours later"""
_FIRST_DELAY: Final = 0.2
_LARGEST_DELAY: Final = 5.0

_random: Final = SystemRandom()


class Attempts:
    """The tries of one operation, which has `seconds` for all of them together.

    Of a stream the time begins anew with the first failure after it went on: it may have been quiet for hours.
    """

    def __init__(self, seconds: float, also: Collection[ErrorKind] = ()) -> None:
        """`also` are kinds of errors that pass here, beside RETRYABLE."""
        self.is_repeat = False
        self._seconds = seconds
        self._kinds = {*RETRYABLE, *also}
        self._delay = _FIRST_DELAY
        self._end: float | None = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """Until the deadline; for the timeout of the next try."""
        return self._seconds if self._end is None else max(0.0, self._end - time.monotonic())

    def went_on(self) -> None:
        """Something has come through."""
        self._delay, self._end = _FIRST_DELAY, None

    def delay_after(self, error: ChorusError) -> float:
        """Seconds to wait before the next try; raises `error` when it will not pass, or not in time."""
        if self._end is None:
            self._end = time.monotonic() + self._seconds
        delay = _random.uniform(self._delay / 2, self._delay)
        if error.kind not in self._kinds or delay >= self.seconds_left:
            raise error
        self._delay = min(2 * self._delay, _LARGEST_DELAY)
        self.is_repeat = True
        return delay
