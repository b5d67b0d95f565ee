"""The database of this machine's stack, for commands that need no running stack: sessions to end, deeds to keep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser

import sqlalchemy as sa

from services.acting import Actor, Role
from services.gateway.operations.audit import AuditLog
from services.gateway.operations.session_rows import SessionRows
from services.jobs.tables import open_database
from services.jobs.upgrade import create_tables
from services.local.settings import LocalSettings

_DOOR = "cli"


@contextmanager
def own_database(settings: LocalSettings) -> Iterator[sa.Engine]:
    """The database, with its tables; UNAVAILABLE when it does not answer."""
    # What is made here is for the eyes of its user alone.
    before = os.umask(0o077)
    try:
        settings.folders.make()
        database = open_database(settings.own_database_url)
        try:
            create_tables(database)
            yield database
        finally:
            database.dispose()
    finally:
        os.umask(before)


def machine_user(database: sa.Engine) -> Actor:
    """Whoever sits at this machine, whose stack it is: they may do everything, and are recorded."""
    return Actor(name=_machine_name(), role=Role.ADMIN, door=_DOOR, record=AuditLog(database).record)


def end_sessions(database: sa.Engine, name: str) -> int:
    """Log a user out everywhere; how many sessions that were."""
    return SessionRows(database, hours=1, idle_hours=1).end_all_of(name)


def _machine_name() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
