"""A disk of SQLite's that is full or not to be used is waited for, as DBOS waits for a PostgreSQL that is away.

By itself DBOS takes it for the job's own end, which it then cannot write down: the job would run for ever.
"""

from __future__ import annotations

from dbos import _sys_db
from dbos._utils import retriable_sqlite_exception

from services.jobs.database_errors import is_disk_failure


def wait_for_disk() -> None:
    """Call it in a process in which nobody waits for an answer; a second call changes nothing."""
    # Private to DBOS, which has no setting for it; a test holds it.
    _sys_db.retriable_sqlite_exception = _passes  # type: ignore[assignment,attr-defined]


def _passes(error: Exception) -> bool:
    return retriable_sqlite_exception(error) or is_disk_failure(getattr(error, "orig", None))
