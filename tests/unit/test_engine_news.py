"""What is written into an SQLite file is noticed at once, and has DBOS read the queue."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dbos._queue import queue_worker_thread

from services.jobs.engine import names
from services.jobs.engine.news import DatabaseNews
from services.jobs.engine.worker import _wait_for_news

LONG = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chorus.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE words (word TEXT)")
    yield connection
    connection.close()


def test_it_knows_what_others_wrote_and_nothing_else(path: Path, writer: sqlite3.Connection) -> None:
    news = DatabaseNews(path)
    assert news.came(), "something may lie there from before"
    assert not news.came()
    writer.execute("INSERT INTO words VALUES ('one')")
    assert news.came()
    assert not news.came(), "it is told once"
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("COMMIT")
    writer.execute("SELECT * FROM words").fetchall()
    assert not news.came(), "nothing was written"


def test_waiting_ends_with_the_next_word_or_when_it_is_closed(path: Path, writer: sqlite3.Connection) -> None:
    news = DatabaseNews(path)
    news.came()
    for end in (lambda: writer.execute("INSERT INTO words VALUES ('one')"), news.close):
        waiting = threading.Thread(target=news.wait, args=(LONG,), daemon=True)
        waiting.start()
        end()
        waiting.join(20)
        assert not waiting.is_alive()


def test_a_file_that_cannot_be_read_is_no_news(tmp_path: Path) -> None:
    assert not DatabaseNews(tmp_path / "nowhere" / "chorus.db").came()


@pytest.mark.parametrize("queue", [names.QUEUE, "another"])
def test_dbos_waits_for_news_before_it_reads_our_queue(queue: str) -> None:
    asked, waited, stop = threading.Event(), threading.Event(), threading.Event()

    def scopes(_name: str) -> list[None]:
        asked.set()
        return [None]

    dbos: Any = SimpleNamespace(
        _sys_db=SimpleNamespace(dequeue_scopes=scopes, sharded=False),
        _active_workflows_set=SimpleNamespace(count_for_queue=lambda _name: 0),
    )
    news: Any = SimpleNamespace(wait=lambda _seconds: waited.set())
    _wait_for_news(dbos, news)
    about: Any = SimpleNamespace(
        name=queue,
        database_backed_queue=False,
        _polling_interval_sec=0.001,
        _worker_concurrency=0,
        _partition_worker_concurrency=None,
    )
    reading = threading.Thread(target=queue_worker_thread, args=(stop, dbos, about), daemon=True)
    reading.start()
    assert asked.wait(20)
    stop.set()
    reading.join(20)
    assert waited.is_set() == (queue == names.QUEUE)
