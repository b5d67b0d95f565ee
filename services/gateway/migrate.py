"""`python -m services.gateway.migrate`: makes the tables, sees that the store takes a file, and ends.

The first step of a release on a cluster: a database or a bucket that refuses shows before anything is replaced. The api
and the workers make the tables as well when they start.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

from services import telemetry
from services.errors import ChorusError
from services.jobs.engine.queue import open_queue
from services.jobs.settings import StateSettings
from services.storage import Storage

_STORE_KEY: Final = "health/migrate"
_log = logging.getLogger(__name__)


def main() -> int:
    """The exit code."""
    settings = StateSettings()
    telemetry.configure_logging("migrate", settings.log_level, settings.log_form)
    try:
        open_queue(settings.database_url)[0].dispose()
        # Some servers make a bucket with its first file; in an empty one the api finds nothing to list.
        Storage(settings.store_url, settings.scratch).put_bytes(_STORE_KEY, b"")
    except ChorusError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _log.info("the tables are there, and the store takes files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
