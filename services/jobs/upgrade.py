"""Creates the tables, and brings those of earlier states of the project up to date."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

import sqlalchemy as sa

from services.folders import make_folder
from services.jobs import tables
from services.jobs.database_errors import database_error

_LOCKED_SECONDS: Final = 30.0
_LOCKED_LOOK_SECONDS: Final = 0.05
_SCATTERED: Final = ("video_key", "audio_key", "output_key", "poster_key", "options")


def create_tables(engine: sa.Engine) -> None:
    """Create what is missing of our tables, columns added since included; safe in several processes at once."""
    path = tables.sqlite_path(engine)
    if path is not None:
        make_folder(path.parent)
        _write_ahead(engine)
    with tables.transaction(engine) as connection:
        # One process at a time looks what is missing and creates it.
        if path is None:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('chorus:tables', 0))"))
        else:
            # By itself the driver begins a transaction for data only, not for tables.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        for table in tables.metadata.sorted_tables:
            connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            if table is tables.jobs:
                _gather_specs(connection)
            _add_missing_columns(connection, table)
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def _write_ahead(engine: sa.Engine) -> None:
    """Stored in SQLite's file: readers no longer wait for writers."""
    end = time.monotonic() + _LOCKED_SECONDS
    while True:
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except sa.exc.OperationalError as error:
            # For this one statement SQLite does not wait for who writes, or does the same in this moment.
            is_locked = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            if not is_locked or time.monotonic() > end:
                raise database_error(error) from error
            time.sleep(_LOCKED_LOOK_SECONDS)
        else:
            return


def _add_missing_columns(connection: sa.Connection, table: sa.Table) -> None:
    """Bring a table of an older release up to date; new columns therefore are nullable or have a server default."""
    present = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name not in present:
            definition = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")


def _gather_specs(connection: sa.Connection) -> None:
    """Jobs whose spec lies in columns of its own get it as one document; call it while no other process can."""
    present = {column["name"] for column in sa.inspect(connection).get_columns("jobs")}
    if "spec" in present or not present.issuperset(_SCATTERED):
        return
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN spec JSON")
    texts = ("id", "batch_id", "video_name", "audio_name", *_SCATTERED[:-1])
    old = sa.table("jobs", *map(sa.column, texts), sa.column("options", sa.JSON), sa.column("spec", sa.JSON))
    for row in connection.execute(sa.select(old)).mappings().all():
        spec = {name: row[name] for name in (*texts[1:], "options")} | {"job_id": row["id"]}
        connection.execute(sa.update(old).where(old.c.id == row["id"]).values(spec=spec))
    for column in _SCATTERED:
        connection.exec_driver_sql(f"ALTER TABLE jobs DROP COLUMN {column}")
