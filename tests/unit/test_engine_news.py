"""What is written into an SQLite file, and that a slot is free, is noticed at once, and has DBOS read the queue."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from types import SimpleNamespace
from typing import Any

import pytest
from dbos import _queue
from dbos._core import ActiveWorkflowById

from services.jobs.engine import names
from services.jobs.engine.dbos_pauses import end_pauses_with, notice_ends
from services.jobs.engine.news import DatabaseNews, News

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
    news.wait(LONG)  # something may lie there from before
    for end in (lambda: writer.execute("INSERT INTO words VALUES ('one')"), news.close):
        waiting = threading.Thread(target=news.wait, args=(LONG,), daemon=True)
        waiting.start()
        end()
        waiting.join(20)
        assert not waiting.is_alive()


def test_a_file_that_cannot_be_read_is_no_news(tmp_path: Path) -> None:
    assert not DatabaseNews(tmp_path / "nowhere" / "chorus.db").came()


@pytest.mark.parametrize("of", [News, DatabaseNews])
def test_what_is_told_ends_a_wait_once(of: Callable[..., News], path: Path, writer: sqlite3.Connection) -> None:
    del writer  # which has made the file
    news = of(path) if of is DatabaseNews else of()
    news.wait(LONG)  # something may lie there from before
    for end in (news.tell, news.tell, news.close):
        begun = time.monotonic()
        news.wait(0.2)
        assert time.monotonic() - begun >= 0.2, "nothing was told yet"
        waiting = threading.Thread(target=news.wait, args=(LONG,), daemon=True)
        waiting.start()
        end()
        waiting.join(20)
        assert not waiting.is_alive()
    news.wait(LONG)  # closed


@pytest.fixture
def reading() -> Iterator[Reading]:
    """DBOS's own thread of a queue, which the clock has look only after an hour."""
    found = Reading()
    yield found
    found.stop.set()
    found.news.close()
    found.thread.join(20)
    assert not found.thread.is_alive()


class Reading:
    """A queue that DBOS reads, and what it reads of it."""

    def __init__(self) -> None:
        self.news, self.stop, self.looks = News(), threading.Event(), Queue[int]()
        self.running = ActiveWorkflowById()
        self.turns = 0
        self.dbos: Any = SimpleNamespace(
            _sys_db=SimpleNamespace(dequeue_scopes=self._look, sharded=False), _active_workflows_set=self.running
        )
        self.thread = threading.Thread()

    def start(self, queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_queue, "queue_worker_thread", _queue.queue_worker_thread)
        end_pauses_with(self.news, self._count)
        notice_ends(self.dbos, self.news.tell)
        about: Any = SimpleNamespace(
            name=queue,
            database_backed_queue=False,
            _polling_interval_sec=LONG,
            _worker_concurrency=1,
            _partition_worker_concurrency=None,
        )
        arguments = (self.stop, self.dbos, about)
        self.thread = threading.Thread(target=_queue.queue_worker_thread, args=arguments, daemon=True)
        self.thread.start()

    def _count(self) -> None:
        self.turns += 1

    def _look(self, name: str) -> list[None]:
        self.looks.put(self.running.count_for_queue(name))
        return []


def test_dbos_reads_our_queue_at_the_start_and_when_a_slot_is_free(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = reading.running.add("a job", names.QUEUE)
    reading.start(names.QUEUE, monkeypatch)
    assert reading.looks.get(timeout=20) == 1
    with pytest.raises(Empty):
        reading.looks.get(timeout=0.5)
    job.release()
    assert reading.looks.get(timeout=20) == 0, "it looks when the slot is free, not before"
    assert reading.turns >= 2


def test_another_queue_of_dbos_is_read_by_the_clock(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    reading.start("another", monkeypatch)
    reading.news.tell()
    with pytest.raises(Empty):
        reading.looks.get(timeout=0.5)


def test_news_that_come_one_after_the_other_have_it_read_ten_times_a_second(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading.start(names.QUEUE, monkeypatch)
    reading.looks.get(timeout=20)
    begun = time.monotonic()
    for _ in range(5):
        reading.news.tell()
        reading.looks.get(timeout=20)
    assert time.monotonic() - begun >= 5 * 0.1
