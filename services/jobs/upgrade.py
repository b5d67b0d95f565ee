"""Brings tables of earlier states of the project up to date."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

_SCATTERED: Final = ("video_key", "audio_key", "output_key", "poster_key", "options")


def gather_specs(connection: sa.Connection) -> None:
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
