"""Who did what: a row in the database for each deed, a line in the log, and pages of what is kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from services.acting import Actor, Deed, Role, needs
from services.errors import ChorusError
from services.jobs import moments, tables
from services.printable import printable

_log = logging.getLogger(__name__)

_DAY_MS: Final = 24 * 3600 * 1000
# Names that were typed into the login form, or a file's: no longer than anybody reads.
_MOST_LETTERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One deed as it is kept."""

    id: int
    """Later deeds have higher ones"""
    at: datetime
    name: str
    """Who: a login, anon-... for a browser without one, (program), or a user of this machine"""
    address: str
    door: str
    action: str
    thing: str
    detail: str
    outcome: str
    """done, or the code of the error"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which deeds a page shows; None: any."""

    name: str | None = None
    action: str | None = None
    """As `batch.create`, or the part before the point for all of its kind"""
    since: datetime | None = None
    """At or after"""
    until: datetime | None = None
    """Before"""
    before: int | None = None
    """Only those with lower ids: the last id of the page before"""


class AuditLog:
    """The deeds of one installation; safe to share by threads."""

    def __init__(self, database: sa.Engine, days: float = 0) -> None:
        """`days`: how long they are kept; 0 for ever."""
        self._database = database
        self._days = days

    def record(self, actor: Actor, deed: Deed) -> None:
        """Keep a deed. It has happened: a database that is silent costs its row, not what was done."""
        row = {
            "name": actor.name,
            "address": actor.address,
            "door": actor.door,
            "action": deed.action,
            "thing": deed.thing,
            "detail": deed.detail,
            "outcome": deed.outcome,
        }
        row = {key: _kept(value) for key, value in row.items()}
        who = f"{row['name']} from {row['address'] or 'here'}"
        what = " ".join(filter(None, (row["action"], row["thing"], row["detail"])))
        _log.info("%s over %s: %s: %s", who, row["door"], what, row["outcome"])
        try:
            with tables.transaction(self._database) as connection:
                connection.execute(sa.insert(tables.audit).values(at_ms=moments.now_ms(), **row))
        except ChorusError as error:
            _log.warning("a deed is in this log only, not in the audit log: %s", error)

    @needs(Role.ADMIN)
    def page(self, wanted: AuditFilter, *, limit: int) -> Sequence[AuditEntry]:
        """The newest deeds first; the next page is the one `before` the last of these."""
        table = tables.audit
        select = sa.select(table).order_by(table.c.id.desc()).limit(limit).where(*_conditions(wanted))
        with tables.transaction(self._database) as connection:
            return [_entry(row) for row in connection.execute(select)]

    def sweep(self) -> None:
        """Forget what is older than it is to be kept."""
        if self._days:
            old = tables.audit.c.at_ms < moments.now_ms() - round(self._days * _DAY_MS)
            with tables.transaction(self._database) as connection:
                connection.execute(sa.delete(tables.audit).where(old))


def _conditions(wanted: AuditFilter) -> list[sa.ColumnElement[bool]]:
    columns = tables.audit.c
    conditions = []
    if wanted.name is not None:
        conditions.append(columns.name == wanted.name)
    if wanted.action is not None:
        of_its_kind = columns.action.startswith(f"{wanted.action}.", autoescape=True)
        conditions.append((columns.action == wanted.action) | of_its_kind)
    if wanted.since is not None:
        conditions.append(columns.at_ms >= round(wanted.since.timestamp() * 1000))
    if wanted.until is not None:
        conditions.append(columns.at_ms < round(wanted.until.timestamp() * 1000))
    if wanted.before is not None:
        conditions.append(columns.id < wanted.before)
    return conditions


def _kept(text: str) -> str:
    # No NUL, no half of a letter: PostgreSQL takes neither, and a log no line ends.
    return printable(text)[:_MOST_LETTERS]


def _entry(row: sa.Row[Any]) -> AuditEntry:
    values = {key: value for key, value in row._mapping.items() if key != "at_ms"}
    return AuditEntry(at=moments.moment_of(row.at_ms), **values)
