"""`python -m services.gateway.migrate`: makes or updates the tables and ends; for a release's first step on a cluster.

The api and the workers do the same when they start. Here a database that refuses shows before anything is replaced.
"""

from __future__ import annotations

import logging
import sys

from services import telemetry
from services.errors import ChorusError
from services.jobs import tables
from services.jobs.engine.queue import JobQueue
from services.jobs.settings import StateSettings

_log = logging.getLogger(__name__)


def main() -> int:
    """The exit code."""
    settings = StateSettings()
    telemetry.configure_logging("migrate", settings.log_level, settings.log_form)
    try:
        make_tables(settings.database_url)
    except ChorusError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _log.info("the tables are there")
    return 0


def make_tables(database_url: str) -> None:
    """Create what is missing; safe in several processes at once, and when everything is there."""
    database = tables.open_database(database_url)
    try:
        tables.create_tables(database)
        JobQueue(database).create_tables()
    finally:
        database.dispose()


if __name__ == "__main__":
    sys.exit(main())
