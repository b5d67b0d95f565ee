"""`python -m services.gateway.migrate`: makes the tables, sees that the store takes a file, and ends.

The first step of a release on a cluster: a database or a bucket that refuses shows before anything is replaced. The api
and the workers make the tables as well when they start.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import Final

from services import telemetry
from services.errors import exit_code_of
from services.jobs.engine.queue import open_queue
from services.jobs.settings import StateSettings
from services.storage import Storage

_STORE_KEY: Final = "health/migrate"
_log = logging.getLogger(__name__)


def main() -> int:
    """The exit code."""
    settings = StateSettings()
    telemetry.configure_logging("migrate", settings.log_level, settings.log_form)
    return exit_code_of(partial(_migrate, settings))


def _migrate(settings: StateSettings) -> None:
    open_queue(settings.database_url)[0].dispose()
    # Some servers make a bucket with its first file; in an empty one the api finds nothing to list.
    Storage(settings.store_url, settings.scratch).put_bytes(_STORE_KEY, b"")
    _log.info("the tables are there, and the store takes files")


if __name__ == "__main__":
    sys.exit(main())
