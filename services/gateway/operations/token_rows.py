"""Tokens of programs, each with a name, a role and perhaps an end: rows in the database for all api processes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any, Final

import sqlalchemy as sa

from services.acting import Role
from services.errors import ChorusError, ErrorKind
from services.jobs import moments, tables
from services.jobs.owners import PROGRAM_PREFIX

_NAME: Final = re.compile(r"[\w.-]{1,64}")
_MOST: Final = 1000
_MOST_DAYS: Final = 36_500
_DAY_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of one; its key nobody can find out later."""

    name: str
    role: Role
    key_hash: str
    created_at: datetime
    ends_at: datetime | None
    """None: not before it is removed"""

    @property
    def owner(self) -> str:
        """Whom its uploads and batches belong to; no user can be called so."""
        return f"{PROGRAM_PREFIX}{self.name}"


class TokenRows:
    """The tokens of one installation; safe to share by threads."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def add(self, name: str, role: Role, days: float | None = None) -> str:
        """A new one; returns its key. INVALID_INPUT for an odd name or end, CONFLICT for a taken name or too many."""
        if not _NAME.fullmatch(name) or (days is not None and not 0 < days <= _MOST_DAYS):
            raise ChorusError(ErrorKind.INVALID_INPUT, "token-unusable", name=name, most=_MOST_DAYS)
        key, now = token_urlsafe(32), moments.now_ms()
        row = {
            "name": name,
            "role": role.value,
            "key_hash": hash_key(key),
            "created_ms": now,
            "ends_ms": None if days is None else now + round(days * _DAY_MS),
        }
        try:
            with tables.transaction(self._database) as connection:
                count = connection.execute(sa.select(sa.func.count()).select_from(tables.tokens)).scalar_one()
                if count >= _MOST:
                    raise ChorusError(ErrorKind.CONFLICT, "tokens-too-many", limit=_MOST)
                connection.execute(sa.insert(tables.tokens).values(row))
        except sa.exc.IntegrityError:
            raise ChorusError(ErrorKind.CONFLICT, "token-taken", name=name) from None
        return key

    def find(self, key_hashes: Collection[str]) -> Sequence[Token]:
        """Those of them that hold now."""
        columns = tables.tokens.c
        holds = columns.ends_ms.is_(None) | (columns.ends_ms > moments.now_ms())
        select = sa.select(tables.tokens).where(columns.key_hash.in_(key_hashes), holds)
        with tables.transaction(self._database) as connection:
            return [_token(row) for row in connection.execute(select)]

    def list(self) -> Sequence[Token]:
        """All, by name, those that have ended as well."""
        with tables.transaction(self._database) as connection:
            return [_token(row) for row in connection.execute(sa.select(tables.tokens).order_by(tables.tokens.c.name))]

    def remove(self, name: str) -> None:
        """From now on it opens nothing, and what is open for it ends; NOT_FOUND when there is none of that name."""
        with tables.transaction(self._database) as connection:
            gone = connection.execute(sa.delete(tables.tokens).where(tables.tokens.c.name == name)).rowcount
        if not gone:
            raise ChorusError(ErrorKind.NOT_FOUND, "token-unknown", name=name)


def hash_key(key: str) -> str:
    """What is stored of a key: whoever reads the database cannot come in by it."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def _token(row: sa.Row[Any]) -> Token:
    return Token(
        name=row.name,
        # One of a newer release may do the least there is.
        role=Role(row.role) if row.role in list(Role) else Role.VIEWER,
        key_hash=row.key_hash,
        created_at=moments.moment_of(row.created_ms),
        ends_at=None if row.ends_ms is None else moments.moment_of(row.ends_ms),
    )
