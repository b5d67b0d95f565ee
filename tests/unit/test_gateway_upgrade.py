"""A database of the first release goes on with this one."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from services.jobs import attempts, tables, upgrade
from services.jobs.options import RenderOptions
from services.timeline import Extend

_FIRST_RELEASE = r"""
CREATE TABLE media (id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, bytes BIGINT NOT NULL,
  sha256 TEXT NOT NULL, seconds FLOAT NOT NULL, has_audio BOOLEAN NOT NULL, width INTEGER, height INTEGER,
  frame_rate TEXT, created_ms BIGINT NOT NULL, PRIMARY KEY (id));
CREATE TABLE batches (id TEXT NOT NULL, audio_name TEXT NOT NULL, idempotency_key TEXT, request_digest TEXT NOT NULL,
  created_ms BIGINT NOT NULL, PRIMARY KEY (id), UNIQUE (idempotency_key));
CREATE TABLE jobs (id TEXT NOT NULL, batch_id TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,
  video_id TEXT NOT NULL, video_key TEXT NOT NULL, video_name TEXT NOT NULL, audio_id TEXT NOT NULL,
  audio_key TEXT NOT NULL, audio_name TEXT NOT NULL, output_key TEXT NOT NULL, poster_key TEXT NOT NULL,
  options JSON NOT NULL, attempts INTEGER DEFAULT '0' NOT NULL, created_ms BIGINT NOT NULL, PRIMARY KEY (id));
INSERT INTO jobs VALUES ('b.0', 'b', 0, 'out.mp4', 'm', 'media/abc', 'clip.mp4', 'a', 'media/def', 'speech.wav',
  'outputs/b.0.mp4', 'posters/b.0.jpg', '{"extend" \: "loop", "crf" \: 3}', 1, 1);
INSERT INTO media VALUES ('m', 'clip.mp4', 'video', 4, 'abc', 1.5, 1, 640, 360, '25', 1);
INSERT INTO batches VALUES ('b', 'speech.wav', NULL, 'digest', 1);
"""


def old_database(folder: Path) -> str:
    """The URL of a database as the first release left it."""
    url = f"sqlite:///{folder / 'chorus.db'}"
    engine = tables.open_database(url)
    with engine.begin() as connection:
        for statement in filter(str.strip, _FIRST_RELEASE.split(";")):
            connection.execute(sa.text(statement))
    engine.dispose()
    return url


def test_processes_that_start_together_upgrade_once(tmp_path: Path) -> None:
    url = old_database(tmp_path)
    engines = [tables.open_database(url) for _ in range(8)]
    with ThreadPoolExecutor(len(engines)) as pool:
        list(pool.map(upgrade.create_tables, engines))
    for engine in engines:
        engine.dispose()


def test_an_upgrade_waits_for_who_writes(tmp_path: Path) -> None:
    url = old_database(tmp_path)
    writer = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, lambda: writer.execute("COMMIT")).start()
    engine = tables.open_database(url)
    upgrade.create_tables(engine)
    with closing(writer), engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    engine.dispose()


def test_columns_that_are_new_are_added_and_old_rows_stay(tmp_path: Path) -> None:
    engine = tables.open_database(old_database(tmp_path))
    for _ in range(2):
        upgrade.create_tables(engine)
    with tables.transaction(engine) as connection:
        media = connection.execute(sa.select(tables.media)).one()
        assert (media.name, media.owner, media.has_thumbnail) == ("clip.mp4", "", False)
        assert media.facts_version == "", "it is looked into anew when the same file comes again"
        batch = connection.execute(sa.select(tables.batches)).one()
        assert (batch.audio_name, batch.owner, batch.audio_id) == ("speech.wav", "", "")
        spec = attempts.find_spec(connection, "b.0")
        assert (spec.video_key, spec.audio_name, spec.output_key) == ("media/abc", "speech.wav", "outputs/b.0.mp4")
        assert spec.options == RenderOptions(extend=Extend.LOOP, crf=3)
    for table in tables.metadata.sorted_tables:
        present = {column["name"] for column in sa.inspect(engine).get_columns(table.name)}
        assert present == {column.name for column in table.columns}
    engine.dispose()
