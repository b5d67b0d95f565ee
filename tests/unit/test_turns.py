"""Whose job comes next, on a real database with tables like DBOS's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.errors import ChorusError, ErrorKind
from services.jobs import tables
from services.jobs.engine import names, turns
from services.jobs.engine.queue import JobQueue, open_queue
from services.jobs.model import Priority


class Waiting:
    """A queue without a worker; jobs are named owner-number."""

    def __init__(self, database: sa.Engine, queue: JobQueue) -> None:
        self.database = database
        self._queue = queue
        self._made = 0

    def add(self, owner: str, count: int, *, most_waiting: int = 1000, priority: Priority = Priority.NORMAL) -> None:
        """A batch of an owner."""
        self._made += 1
        batch = f"{owner}{self._made}"
        ids = [f"{batch}-{number}" for number in range(count)]
        with tables.transaction(self.database) as connection:
            connection.execute(
                sa.insert(tables.batches).values(
                    id=batch,
                    audio_name="",
                    audio_id="",
                    owner=owner,
                    request_digest="",
                    created_ms=self._made,
                    priority=priority,
                )
            )
            texts = dict.fromkeys(("name", "video_id", "video_name", "audio_id", "audio_name"), "")
            rows = [
                {"id": each, "batch_id": batch, "position": number, "spec": {}, "created_ms": 0, **texts}
                for number, each in enumerate(ids)
            ]
            connection.execute(sa.insert(tables.jobs), rows)
            self._queue.enqueue(connection, ids, owner, most_waiting=most_waiting, priority=priority)

    def order(self) -> list[str]:
        """In which DBOS takes those that wait."""
        wanted = sa.text(
            "SELECT workflow_uuid FROM workflow_status WHERE status = 'ENQUEUED' ORDER BY priority, created_at, rowid"
        )
        with self.database.connect() as connection:
            return list(connection.execute(wanted).scalars())

    def take(self, executor: str = "local") -> str:
        """The next one runs now."""
        job_id = self.order()[0]
        change = sa.text("UPDATE workflow_status SET status = 'PENDING', executor_id = :by WHERE workflow_uuid = :id")
        with self.database.begin() as connection:
            connection.execute(change, {"by": executor, "id": job_id})
        return job_id

    def end(self, job_id: str) -> None:
        """It is done."""
        with self.database.begin() as connection:
            change = sa.text("UPDATE workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = :id")
            connection.execute(change, {"id": job_id})


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Waiting]:
    database, jobs = open_queue(f"sqlite:///{tmp_path / 'chorus.db'}")
    yield Waiting(database, jobs)
    database.dispose()


def owners(job_ids: list[str]) -> str:
    """Their first letters."""
    return "".join(each[0] for each in job_ids)


def test_one_owner_is_served_in_order(queue: Waiting) -> None:
    queue.add("a", 3)
    queue.add("a", 2)
    assert queue.order() == ["a1-0", "a1-1", "a1-2", "a2-0", "a2-1"]


def test_who_comes_later_with_little_does_not_wait_for_all_of_the_other(queue: Waiting) -> None:
    queue.add("a", 6)
    for _ in range(3):
        queue.end(queue.take())
    queue.add("b", 2)
    assert owners(queue.order()) == "ababa"


def test_who_comes_again_and_again_gets_its_half_and_no_more(queue: Waiting) -> None:
    queue.add("a", 20)
    served = ""
    for _ in range(20):
        queue.add("b", 1)
        job_id = queue.take()
        served += owners([job_id])
        queue.end(job_id)
    assert served.count("a") == 10


def test_what_was_interrupted_is_first_and_moves_nobody_else(queue: Waiting) -> None:
    queue.add("a", 2)
    interrupted = queue.take("gone")
    queue.add("b", 1)
    turns.put_first(queue.database, "gone")
    with queue.database.begin() as connection:
        connection.execute(sa.text("UPDATE workflow_status SET status = 'ENQUEUED' WHERE status = 'PENDING'"))
    queue.add("c", 1)
    assert queue.order()[0] == interrupted
    assert owners(queue.order()) == "aabc"


def test_a_full_queue_takes_no_batch_and_keeps_nothing_of_it(queue: Waiting) -> None:
    queue.add("a", 3, most_waiting=4)
    with pytest.raises(ChorusError, match="4 at most") as refusal:
        queue.add("b", 2, most_waiting=4)
    assert refusal.value.kind is ErrorKind.OVERLOADED
    assert owners(queue.order()) == "aaa"
    queue.end(queue.take())
    queue.add("b", 2, most_waiting=4)
    assert owners(queue.order()) == "abab"


def served(queue: Waiting, number: int) -> str:
    """The owners of the next jobs, one taken and ended after another."""
    found = ""
    for _ in range(number):
        job_id = queue.take()
        found += owners([job_id])
        queue.end(job_id)
    return found


def test_high_gets_twice_as_many_as_normal_and_normal_twice_as_many_as_low(queue: Waiting) -> None:
    queue.add("low", 30, priority=Priority.LOW)
    queue.add("normal", 30)
    queue.add("high", 30, priority=Priority.HIGH)
    assert Counter(served(queue, 28)) == {"h": 16, "n": 8, "l": 4}


def test_urgent_batches_without_end_leave_the_others_their_share(queue: Waiting) -> None:
    queue.add("low", 5, priority=Priority.LOW)
    found = ""
    for _ in range(20):
        queue.add("high", 2, priority=Priority.HIGH)
        found += served(queue, 1)
    assert found.count("l") == 4


def test_an_urgent_batch_does_not_wait_for_the_other_batches_of_its_owner(queue: Waiting) -> None:
    queue.add("anna", 10)
    queue.add("anna", 4, priority=Priority.HIGH)
    assert [each[:5] for each in queue.order()[:7]].count("anna2") == 4


def test_what_waits_is_counted_by_the_index_of_unfinished_jobs(queue: Waiting) -> None:
    status = names.status_table(queue.database)
    for condition in (names.is_waiting(status), names.is_unfinished(status)):
        asked = sa.select(sa.func.count()).select_from(status).where(condition)
        text = asked.compile(queue.database, compile_kwargs={"literal_binds": True})
        with queue.database.connect() as connection:
            plan = connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")).all()
        assert "idx_workflow_status_in_flight_v2" in str(plan)
