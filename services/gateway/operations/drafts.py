"""What visitors of the page have put together and not started: in the database, so that any api process shows it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import sqlalchemy as sa

from services.errors import ChorusError
from services.jobs import moments, tables

_log = logging.getLogger(__name__)

_LIFE_MS: Final = 60 * 24 * 3600 * 1000

Chosen = dict[str, Any]
Change = Callable[[Chosen], None]
"""Does to what was chosen what the visitor did, whatever another tab has done to it meanwhile"""


class Drafts:
    """The drafts of an installation; call it on the event loop, which it never holds up."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        # One thread: what a visitor changes is written in order, and a page that is loaded then sees it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="drafts")

    async def load(self, owner: str, kind: str) -> Chosen:
        """What this owner has chosen; empty when nothing was, or the database does not answer."""
        try:
            return await asyncio.wrap_future(self._thread.submit(self._read, owner, kind))
        except ChorusError as error:
            _log.warning("a draft could not be read: %s", error)
            return {}

    def keep(self, owner: str, kind: str, change: Change) -> None:
        """Make a change also to what is stored; the page goes on at once."""
        self._thread.submit(self._write, owner, kind, change)

    def sweep(self) -> None:
        """Forget what nobody has touched for two months."""
        with tables.transaction(self._database) as connection:
            old = tables.drafts.c.changed_ms < moments.now_ms() - _LIFE_MS
            connection.execute(sa.delete(tables.drafts).where(old))

    def close(self) -> None:
        """Wait until what was changed is written; call it once."""
        self._thread.shutdown()

    def _read(self, owner: str, kind: str) -> Chosen:
        with tables.transaction(self._database) as connection:
            return dict(connection.execute(_select(owner, kind)).scalar_one_or_none() or {})

    def _write(self, owner: str, kind: str, change: Change) -> None:
        try:
            self._merge(owner, kind, change)
        except sa.exc.IntegrityError:
            # Another process has made the row just now.
            self._merge(owner, kind, change)
        except ChorusError as error:
            _log.warning("a draft could not be kept: %s", error)

    def _merge(self, owner: str, kind: str, change: Change) -> None:
        table = tables.drafts
        own = sa.update(table).where(table.c.owner == owner, table.c.kind == kind)
        with tables.transaction(self._database) as connection:
            # Written first: from here on the row is ours, and nobody else changes what is read next.
            if connection.execute(own.values(changed_ms=moments.now_ms())).rowcount == 0:
                row = {"owner": owner, "kind": kind, "chosen": {}, "changed_ms": moments.now_ms()}
                connection.execute(sa.insert(table).values(row))
            chosen = dict(connection.execute(_select(owner, kind)).scalar_one())
            change(chosen)
            connection.execute(own.values(chosen=chosen))


def _select(owner: str, kind: str) -> sa.Select[tuple[Any]]:
    return sa.select(tables.drafts.c.chosen).where(tables.drafts.c.owner == owner, tables.drafts.c.kind == kind)
