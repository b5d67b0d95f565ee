"""What a failure of the database is to whoever asked it."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

from services.errors import ChorusError, ErrorKind

# PostgreSQL's word for it
_DISK_FULL = "53100"
_DISK_FAILURES = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}
)


def database_error(error: sa.exc.OperationalError) -> ChorusError:
    """What a failure of the database is to whoever asked: a full disk, a file that cannot be used, or no answer."""
    cause = error.orig
    if _sqlite_code(cause) == sqlite3.SQLITE_FULL or getattr(cause, "sqlstate", "") == _DISK_FULL:
        return ChorusError(ErrorKind.STORAGE_FULL, "database-full")
    if is_disk_failure(cause):
        return ChorusError(ErrorKind.UNAVAILABLE, "database-unusable", reason=str(cause))
    return ChorusError(ErrorKind.UNAVAILABLE, "database-silent")


def is_disk_failure(cause: BaseException | None) -> bool:
    """Whether SQLite says that its disk is full or cannot be used, which may pass."""
    return _sqlite_code(cause) in _DISK_FAILURES


def _sqlite_code(cause: BaseException | None) -> int:
    return int(getattr(cause, "sqlite_errorcode", 0)) & 0xFF
