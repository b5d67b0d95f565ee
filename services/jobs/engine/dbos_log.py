"""DBOS's log lines within ours: warnings only, and no alarm for jobs that merely failed or were cancelled."""

from __future__ import annotations

import logging
from typing import Final

_KNOWN: Final = (
    # Each of them comes with a line of our own, in words.
    "Exception encountered in background workflow",
    "was cancelled during execution",
    "no longer owned by this execution",
)


class _KnownEnds(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(known in message for known in _KNOWN)


def configure_dbos_log() -> None:
    """Call before DBOS is touched; a second call changes nothing."""
    log = logging.getLogger("dbos")
    log.setLevel(logging.WARNING)
    # With a handler of its own present DBOS adds none, and its lines reach our log in our format.
    if not log.handlers:
        log.addHandler(logging.NullHandler())
        log.addFilter(_KnownEnds())
