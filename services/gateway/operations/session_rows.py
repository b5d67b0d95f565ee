"""Who is logged in: rows in the database, which all api processes share. A cookie is the key of one, and no more.

A token of a program (token_rows.py) is found here as well: a session that nobody has begun by logging in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any, Final

import sqlalchemy as sa

from services.acting import Role
from services.errors import ChorusError, ErrorKind
from services.gateway.operations.token_rows import Token, TokenRows, hash_key
from services.jobs import moments, tables

_HOUR_MS: Final = 3600 * 1000
# Of how long a session may be idle this share may be missing in its row: not every request writes.
_TOUCH_SHARE: Final = 20
# No user's fingerprint and no provider's proof begins so.
_PROGRAM: Final = "token:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A login that goes on."""

    key_hash: str
    """What is stored of its key; also its id"""
    name: str
    """Of the user, empty for whoever showed the token"""
    proof: str
    """Changes with the password, the role or the token: a session with another one than today's is over"""
    seen_ms: int


class SessionRows:
    """The sessions of one installation; safe to share by threads."""

    def __init__(self, database: sa.Engine, *, hours: float, idle_hours: float) -> None:
        """`hours`: how long one may last; `idle_hours`: how long without a request."""
        self.seconds = round(hours * 3600)
        """How long one may last, seconds"""
        self._database = database
        self._tokens = TokenRows(database)
        self._life_ms = round(hours * _HOUR_MS)
        self._idle_ms = round(idle_hours * _HOUR_MS)

    def add(self, name: str, proof: str, address: str, *, subject: str = "", sid: str = "") -> str:
        """A new one; returns its key, which nobody can find out later.

        `subject` and `sid`: what a provider calls the person and their login there, by which it may be ended.
        """
        key, now = token_urlsafe(32), moments.now_ms()
        row = {"name": name, "proof": proof, "address": address, "created_ms": now, "seen_ms": now}
        row |= {"subject_hash": _hash_or_null(subject), "sid_hash": _hash_or_null(sid)}
        with tables.transaction(self._database) as connection:
            connection.execute(sa.insert(tables.sessions).values(key_hash=hash_key(key), **row))
        return key

    def find(self, key_hashes: Collection[str]) -> Mapping[str, Session]:
        """Those of them that are neither ended, idle nor too old, and tokens that hold; they count as used by that."""
        table, now = tables.sessions, moments.now_ms()
        select = sa.select(table).where(table.c.key_hash.in_(key_hashes), ~self._is_over(now))
        with tables.transaction(self._database) as connection:
            found = {row.key_hash: _session(row) for row in connection.execute(select)}
        stale = [each.key_hash for each in found.values() if each.seen_ms < now - self._idle_ms // _TOUCH_SHARE]
        if stale:
            with tables.transaction(self._database) as connection:
                connection.execute(sa.update(table).where(table.c.key_hash.in_(stale)).values(seen_ms=now))
        others = [key for key in key_hashes if key not in found]
        tokens = self._tokens.find(others) if others else ()
        return found | {token.key_hash: _session_of(token, now) for token in tokens}

    def is_known(self, name: str, address: str) -> bool:
        """True when somebody has logged in as `name` from that address lately."""
        table = tables.sessions
        known = sa.select(table.c.key_hash).where(table.c.name == name, table.c.address == address).limit(1)
        with tables.transaction(self._database) as connection:
            return connection.execute(known).first() is not None

    def end(self, key_hash: str) -> None:
        """Log out; nothing happens where there is none."""
        self._delete(tables.sessions.c.key_hash == key_hash)

    def end_all_of(self, name: str) -> int:
        """Log a user out everywhere; returns how many sessions that were."""
        return self._delete(tables.sessions.c.name == name)

    def end_foreign(self, subject: str, sid: str, token_id: str, until_ms: int) -> Sequence[Session]:
        """End those of one login at a provider, or without `sid` all of a person; returns them.

        Of a login whose `sid` was never said it cannot be known that it is another one: it ends too. CONFLICT when a
        token of that id has been obeyed before; it is remembered until `until_ms`.
        """
        table, seen = tables.sessions, tables.logout_tokens
        conditions = [] if not subject else [table.c.subject_hash == hash_key(subject)]
        if sid:
            is_it = table.c.sid_hash == hash_key(sid)
            conditions.append(is_it | table.c.sid_hash.is_(None) if subject else is_it)
        try:
            with tables.transaction(self._database) as connection:
                connection.execute(sa.insert(seen).values(id_hash=hash_key(token_id), until_ms=until_ms))
                ended = connection.execute(sa.delete(table).where(*conditions).returning(table))
                return [_session(row) for row in ended]
        except sa.exc.IntegrityError:
            raise ChorusError(ErrorKind.CONFLICT, "oidc-logout-repeated") from None

    def sweep(self) -> None:
        """Remove the rows of those that are over, and of logout tokens that nobody would believe any more."""
        now = moments.now_ms()
        self._delete(self._is_over(now))
        with tables.transaction(self._database) as connection:
            connection.execute(sa.delete(tables.logout_tokens).where(tables.logout_tokens.c.until_ms < now))

    def _is_over(self, now: int) -> sa.ColumnElement[bool]:
        columns = tables.sessions.c
        return (columns.created_ms < now - self._life_ms) | (columns.seen_ms < now - self._idle_ms)

    def _delete(self, condition: sa.ColumnElement[bool]) -> int:
        with tables.transaction(self._database) as connection:
            return connection.execute(sa.delete(tables.sessions).where(condition)).rowcount


def token_role(proof: str) -> Role | None:
    """What the token may do whose proof that is; None for that of a login."""
    return Role(proof.removeprefix(_PROGRAM)) if proof.startswith(_PROGRAM) else None


def _hash_or_null(told: str) -> str | None:
    return hash_key(told) if told else None


def _session_of(token: Token, now: int) -> Session:
    return Session(key_hash=token.key_hash, name=token.owner, proof=f"{_PROGRAM}{token.role}", seen_ms=now)


def _session(row: sa.Row[Any]) -> Session:
    return Session(key_hash=row.key_hash, name=row.name, proof=row.proof, seen_ms=row.seen_ms)
