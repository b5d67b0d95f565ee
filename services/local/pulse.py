"""Whether a process that runs still answers: a stopped or deadlocked one does not, and never ends by itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

_ASK_SECONDS: Final = 5.0
# A machine that slept has jumped over any time, but over no question.
_LEAST_MISSES: Final = 3


class Pulse:
    """Asks one process again and again, in a thread of its own, until it is closed."""

    def __init__(self, answers: Callable[[], bool], hang_seconds: float, *, ask_seconds: float = _ASK_SECONDS) -> None:
        """`answers` asks once, and gives up within seconds; it hangs when it has not answered for `hang_seconds`."""
        self._answers = answers
        self._hang_seconds = hang_seconds
        self._ask_seconds = min(ask_seconds, hang_seconds / _LEAST_MISSES)
        self._closed = threading.Event()
        self._missed: tuple[int, float] = (0, 0.0)
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def is_lost(self) -> bool:
        """True when it has not answered for too long, several times in a row."""
        misses, since = self._missed
        return misses >= _LEAST_MISSES and time.monotonic() - since >= self._hang_seconds

    def close(self) -> None:
        """Ask no more; a question under way is not waited for."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(self._ask_seconds):
            asked = time.monotonic()
            if self._ask():
                self._missed = (0, 0.0)
            else:
                misses, since = self._missed
                self._missed = (misses + 1, since if misses else asked)

    def _ask(self) -> bool:
        try:
            return self._answers()
        except Exception:
            _log.exception("asking a process whether it lives failed")
            return False
