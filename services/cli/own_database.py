"""The database of this machine's stack, for commands that need no running stack: sessions to end, deeds to keep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser

import sqlalchemy as sa
import typer

from services.acting import Actor, Deed, Role
from services.errors import ChorusError
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


def keep_deed(settings: LocalSettings, deed: Deed) -> None:
    """Put into the audit log what whoever sits at this machine has done; UNAVAILABLE when it does not answer."""
    with own_database(settings) as database:
        AuditLog(database).record(machine_user(), deed)


def keep_if_possible(settings: LocalSettings, deed: Deed) -> None:
    """The same, with a word on stderr when the database does not answer: what was done is done."""
    try:
        keep_deed(settings, deed)
    except ChorusError as error:
        typer.echo(f"{error.message}; it is done, but not in the audit log", err=True)


def end_sessions(settings: LocalSettings, name: str) -> int:
    """Log a user out everywhere; how many sessions that were. UNAVAILABLE when the database does not answer."""
    with own_database(settings) as database:
        return SessionRows(database, hours=1, idle_hours=1).end_all_of(name)


def machine_user() -> Actor:
    """Whoever sits at this machine and may use its files: an admin."""
    return Actor(name=_machine_name(), role=Role.ADMIN, door=_DOOR)


def _machine_name() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
