"""The imports of all api processes, as rows of one table: what is imported, by whom, and how far it is."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from services.errors import ChorusError, ErrorKind, error_from_json, error_to_json
from services.jobs import moments, tables

MOST_UNFINISHED: Final = 20
# A process touches its rows more often than this; a row that is older belongs to nobody any more.
_ALIVE_MS: Final = 15_000
_KEPT_MS: Final = 30 * 24 * 3600 * 1000


class ImportState(StrEnum):
    """How far an import is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ImportStage(StrEnum):
    """What a running import is at; the last one of an ended import."""

    RECEIVING = "receiving"
    """The file is fetched from the store"""
    READING = "reading"
    """It is read, converted, and compared with what would be served"""
    LOADING = "loading"
    """Triton loads it"""


UNFINISHED: Final = (ImportState.WAITING, ImportState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelImport:
    """An uploaded file that becomes a family, or has."""

    id: str
    upload_id: str
    name: str
    """Of the family; empty until it is done, where nobody has asked for one"""
    licence: str
    file_name: str
    owner: str
    state: ImportState
    stage: ImportStage
    error: ChorusError | None
    """Why it failed"""
    created_at: datetime

    @property
    def has_ended(self) -> bool:
        """True when nothing changes any more."""
        return self.state not in UNFINISHED


class ImportRows:
    """What one process writes and reads of that table; safe to share by threads."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._runner = uuid.uuid4().hex

    def insert(self, *, upload_id: str, name: str, licence: str, file_name: str, owner: str) -> tuple[str, bool]:
        """The id of the import of an upload, and whether it is new: one upload is imported once at a time.

        CONFLICT when another import shall have that name, OVERLOADED when too many wait.
        """
        new_id, table = uuid.uuid4().hex, tables.model_imports
        row = {
            "upload_id": upload_id,
            "name": name,
            "licence": licence,
            "file_name": file_name,
            "owner": owner,
            "runner": self._runner,
            "state": ImportState.WAITING,
            "stage": ImportStage.RECEIVING,
            "created_ms": moments.now_ms(),
            "touched_ms": moments.database_now_ms(self._database),
        }
        with tables.transaction(self._database) as connection:
            # Written first: from here on SQLite lets nobody else in. PostgreSQL does, and the importer's lock decides.
            connection.execute(sa.insert(table).values(id=new_id, **row))
            others = connection.execute(sa.select(table).where(table.c.state.in_(UNFINISHED), table.c.id != new_id))
            for other in (found := others.all()):
                if other.upload_id == upload_id:
                    connection.execute(sa.delete(table).where(table.c.id == new_id))
                    return str(other.id), False
                if name and other.name == name:
                    raise ChorusError(ErrorKind.CONFLICT, "import-name-taken", name=name)
            if len(found) >= MOST_UNFINISHED:
                raise ChorusError(ErrorKind.OVERLOADED, "imports-waiting", number=len(found))
        return new_id, True

    def find(self, import_id: str) -> ModelImport:
        """One import; NOT_FOUND when there is none."""
        self._bury()
        table = tables.model_imports
        with tables.transaction(self._database) as connection:
            row = connection.execute(sa.select(table).where(table.c.id == import_id)).one_or_none()
        if row is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "import-not-there", id=import_id)
        return _model_import(row)

    def page(self, *, limit: int) -> list[ModelImport]:
        """The newest ones first."""
        self._bury()
        table = tables.model_imports
        newest = sa.select(table).order_by(table.c.created_ms.desc(), table.c.id).limit(limit)
        with tables.transaction(self._database) as connection:
            return [_model_import(row) for row in connection.execute(newest)]

    def write(self, import_id: str, **values: Any) -> bool:
        """Store how far an import is; False when it has ended: somebody has cancelled it."""
        now = moments.database_now_ms(self._database)
        return self._update(tables.model_imports.c.id == import_id, touched_ms=now, **values) == 1

    def fail(self, import_id: str, error: ChorusError) -> None:
        """It has failed."""
        self.write(import_id, state=ImportState.FAILED, error=error_to_json(error))

    def touch(self) -> None:
        """Show that this process is alive."""
        now = moments.database_now_ms(self._database)
        self._update(tables.model_imports.c.runner == self._runner, touched_ms=now)

    def leave(self) -> None:
        """This process ends, and what it was importing with it."""
        self._abandon(tables.model_imports.c.runner == self._runner)

    def unfinished(self) -> set[str]:
        """The ids of all imports that have not ended."""
        self._bury()
        table = tables.model_imports
        with tables.transaction(self._database) as connection:
            return set(connection.execute(sa.select(table.c.id).where(table.c.state.in_(UNFINISHED))).scalars())

    def sweep(self) -> None:
        """Forget what ended long ago."""
        table, old = tables.model_imports, moments.now_ms() - _KEPT_MS
        with tables.transaction(self._database) as connection:
            connection.execute(sa.delete(table).where(table.c.touched_ms < old, table.c.state.not_in(UNFINISHED)))

    def _bury(self) -> None:
        """What a process was importing that was killed has failed."""
        self._abandon(moments.is_silent(self._database, tables.model_imports.c.touched_ms, _ALIVE_MS))

    def _abandon(self, condition: sa.ColumnElement[bool]) -> None:
        error = error_to_json(ChorusError(ErrorKind.UNAVAILABLE, "import-abandoned"))
        self._update(condition, state=ImportState.FAILED, error=error)

    def _update(self, condition: sa.ColumnElement[bool], **values: Any) -> int:
        """How many unfinished imports were changed."""
        table = tables.model_imports
        statement = sa.update(table).where(condition, table.c.state.in_(UNFINISHED)).values(values)
        with tables.transaction(self._database) as connection:
            return connection.execute(statement).rowcount


def _model_import(row: sa.Row[Any]) -> ModelImport:
    values = {key: row._mapping[key] for key in ("id", "upload_id", "name", "licence", "file_name", "owner")}
    return ModelImport(
        **values,
        state=ImportState(row.state),
        stage=ImportStage(row.stage),
        error=None if row.error is None else error_from_json(row.error),
        created_at=moments.moment_of(row.created_ms),
    )
