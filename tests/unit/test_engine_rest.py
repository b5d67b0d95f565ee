"""What DBOS does for others, which we never ask for, it does seldom."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from dbos import _workflow_commands
from dbos._sys_db_postgres import BACKGROUND_JOB_LOCK_IDLE_TIMEOUT_MS

from services.jobs.engine import dbos_pauses, names


class Waits(threading.Event):
    """An event that is set once it is waited for; knows how long that was to be."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.longest = max(self.longest, timeout or 0.0)
        self.set()
        return True


class Database:
    """DBOS's own, as its upkeep and its list of queues know it."""

    def __init__(self) -> None:
        self.queues: list[Any] = []
        self.listed = self.kept_up = 0

    def list_queues(self, **_options: Any) -> list[Any]:
        self.listed += 1
        return [*self.queues]

    def transition_delayed_workflows(self) -> None:
        self.kept_up += 1

    def cancel_timed_out_workflows(self, _limit: int) -> list[str]:
        return []

    @contextmanager
    def background_job_lock(self, _name: str) -> Iterator[bool]:
        yield True


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def dbos(database: Database) -> Any:
    internal = SimpleNamespace(_polling_interval_sec=1.0)
    return SimpleNamespace(_sys_db=database, _registry=SimpleNamespace(get_internal_queue=lambda: internal))


def test_its_upkeep_pauses_for_as_long_as_the_server_lets_it_hold_its_lock(
    dbos: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = _workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC
    monkeypatch.setattr(_workflow_commands, "_BACKGROUND_JOBS_INTERVAL_SEC", usual)
    dbos_pauses.rest_from_upkeep(dbos)
    stop = Waits()
    _workflow_commands.background_jobs_thread(stop, dbos)
    assert database.kept_up == 1
    assert 3 * usual < stop.longest < BACKGROUND_JOB_LOCK_IDLE_TIMEOUT_MS / 1000 - 0.5
    assert dbos._registry.get_internal_queue()._polling_interval_sec == 60


def test_its_list_of_queues_is_read_until_ours_is_in_it_and_then_once_a_minute(
    dbos: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    dbos_pauses.list_queues_seldom(dbos)
    listing: Any = database.list_queues
    assert [listing(application_name="chorus"), listing()] == [[], []]
    assert database.listed == 2
    database.queues = [SimpleNamespace(name=names.QUEUE)]
    for seconds, times in ((0, 3), (59, 3), (2, 4), (1, 4)):
        clock[0] += seconds
        assert listing() == database.queues
        assert database.listed == times
