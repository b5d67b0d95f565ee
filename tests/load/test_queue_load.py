"""`make queue-load`: what PostgreSQL has to do for ten, a hundred and a thousand workers.

One real worker is recorded, idle and at work; pgbench replays its transactions as those of many, at its pace, with a
session for each. Jobs are queued by the product's own functions, among many that have finished.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from services.jobs.engine import turns
from services.jobs.engine.liveness import TakeOver
from services.jobs.engine.queue import JobQueue, open_queue
from services.jobs.engine.worker import poll_seconds
from services.jobs.model import Priority
from tests.gateway_stack import make_settings, open_gateway, running_worker
from tests.load import simulated
from tests.load.recording import Transaction, recorded_worker
from tests.load.replay import Measured
from tests.load.worker_traffic import Habit, act, claim, habits
from tests.real_servers import Postgres, running_postgres

FINISHED, IDLE_SECONDS, BUSY_SECONDS, REPLAY_SECONDS = 50_000, 15, 10, 10
QUEUED, LONGEST_SECONDS = (1_000, 10_000), 240
pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one worker was heard to say, and of how many sessions."""

    idle: Sequence[Habit]
    busy: Sequence[Habit]
    all: Sequence[Transaction]
    job_id: str
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A server, and a database with finished jobs."""

    server: Postgres
    url: str
    database: sa.Engine
    queue: JobQueue
    heard: Heard
    bytes_a_job: float
    """Of a finished one, indices included"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running_postgres(max_connections="2300", fsync="on") as server:
        url = server.new_database()
        heard = _hear(server, url, tmp_path_factory.mktemp("recorded"))
        database, queue = open_queue(url)
        before = _size(database)
        simulated.remember(database, heard.job_id, FINISHED)
        bytes_a_job = (_size(database) - before) / FINISHED
        yield Scene(server=server, url=url, database=database, queue=queue, heard=heard, bytes_a_job=bytes_a_job)
        database.dispose()


def _size(database: sa.Engine) -> int:
    with database.connect() as connection:
        return int(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one())


def _hear(server: Postgres, url: str, folder: Path) -> Heard:
    settings = make_settings(folder, database_url=url, worker_slots=1, stall_seconds=60)
    other = make_settings(folder, database_url=url, worker_slots=1, stall_seconds=60, scratch=folder / "other")
    # The first one leads, in DBOS's upkeep as in the sweep; the second is one of many.
    with open_gateway(settings) as gateway, running_worker(other), recorded_worker(settings) as recorded:
        time.sleep(8)
        mark = recorded.mark()
        time.sleep(IDLE_SECONDS)
        idle = habits(recorded.since(mark), IDLE_SECONDS)
        begun = recorded.mark()
        ids = [job["id"] for job in gateway.start_batch("slow-15.mp4", "slow-15.0.mp4")["jobs"]]
        for job_id in ids:
            gateway.wait_for(job_id, "running", seconds=LONGEST_SECONDS)
        mark = recorded.mark()
        time.sleep(BUSY_SECONDS)
        busy = habits(recorded.since(mark), BUSY_SECONDS)
        for job_id in ids:
            gateway.wait_for(job_id, "succeeded", seconds=LONGEST_SECONDS)
        sockets = psutil.Process(recorded.process.pid).net_connections()
        said = recorded.since(begun)
    own = next(each for each in ids if any(each in str(habit.example.statements) for habit in busy))
    sessions = sum(bool(each.raddr) and each.raddr.port == server.port for each in sockets)
    return Heard(idle=idle, busy=busy, all=said, job_id=own, sessions=sessions)


@pytest.fixture(scope="module")
def numbers(request: pytest.FixtureRequest) -> list[int]:
    """Of workers."""
    return [int(each) for each in request.config.getoption("--workers").split(",")]


def paced(repeated: Sequence[Habit], workers: int) -> list[Habit]:
    """What looks into the queue does so less often when there are many."""
    share = poll_seconds(1) / poll_seconds(workers)
    return [
        Habit(each.example, each.per_second * (share if each.example.thread == "queue-worker-render" else 1))
        for each in repeated
    ]


def shown(title: str, *names: str) -> Table:
    """An empty table."""
    return Table(*names, title=f"{title} (load of the machine {psutil.getloadavg()[0]:.1f})")


def costs(measured: Measured) -> list[str]:
    """Cores, microseconds of CPU a transaction, latencies."""
    done = max(1, len(measured.milliseconds))
    quantiles = " / ".join(f"{measured.quantile(share):.1f}" for share in (0.5, 0.95, 0.99))
    return [
        f"{done / measured.seconds:.0f}",
        f"{measured.cpu_seconds / measured.seconds:.2f}",
        f"{1e6 * measured.cpu_seconds / done:.0f}",
        quantiles,
    ]


_COLUMNS = ("workers", "asked a second", "answered", "PostgreSQL: cores", "CPU us each", "ms p50 / p95 / p99")


def test_workers_that_wait(scene: Scene, numbers: list[int]) -> None:
    told = f"Idle workers, each with {scene.heard.sessions} sessions; a finished job has {scene.bytes_a_job:.0f} bytes"
    table = shown(told, *_COLUMNS, "MiB a session")
    for workers in numbers:
        repeated = paced(scene.heard.idle, workers)
        measured = act(scene.server, scene.url, repeated, workers=workers, seconds=REPLAY_SECONDS)
        asked = sum(each.per_second for each in repeated) * workers
        memory = f"{measured.memory_mib / measured.sessions:.1f}"
        table.add_row(str(workers), f"{asked:.0f}", *costs(measured), memory)
    Console(width=140).print(table)
    # Nothing that a worker repeats may grow with the number of workers.
    assert sum(each.per_second for each in paced(scene.heard.idle, 1)) < 9
    assert sum(each.per_second for each in paced(scene.heard.idle, 1000)) < 5


def test_workers_at_work(scene: Scene, numbers: list[int]) -> None:
    table = shown("Busy workers, each with a job", *_COLUMNS, "updates in place", "dead rows of events")
    for workers in numbers:
        simulated.queue_jobs(scene.database, scene.queue, workers)
        simulated.take(scene.database, workers)
        repeated, before = paced(scene.heard.busy, workers), _updates(scene.database)
        measured = act(
            scene.server, scene.url, repeated, workers=workers, seconds=REPLAY_SECONDS, job_id=scene.heard.job_id
        )
        updated, in_place, dead = (now - then for now, then in zip(_updates(scene.database), before, strict=True))
        asked = sum(each.per_second for each in repeated) * workers
        table.add_row(
            str(workers), f"{asked:.0f}", *costs(measured), f"{100 * in_place / max(1, updated):.0f} %", str(dead)
        )
        simulated.clear(scene.database)
    Console(width=150).print(table)
    assert not any(habit.example.has("pg_notify") for habit in scene.heard.busy)


def _updates(database: sa.Engine) -> tuple[int, int, int]:
    time.sleep(1.5)  # until the sessions have reported what they did
    asked = "SELECT n_tup_upd, n_tup_hot_upd, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'workflow_events'"
    with database.connect() as connection:
        return tuple(connection.execute(sa.text(asked)).one())


def test_claims(scene: Scene, numbers: list[int]) -> None:
    table = shown(
        "Jobs taken as fast as possible",
        "workers",
        "queued",
        "claims a second",
        "CPU ms a claim",
        _COLUMNS[-1],
    )
    for workers in numbers:
        for queued in QUEUED:
            simulated.queue_jobs(scene.database, scene.queue, queued)
            simulated.hold(scene.database)
            taking = partial(simulated.release, scene.database, LONGEST_SECONDS)
            measured = claim(scene.server, scene.url, scene.heard.all, clients=workers, meanwhile=taking)
            each = [f"{queued / measured.seconds:.0f}", f"{1000 * measured.cpu_seconds / queued:.2f}"]
            table.add_row(str(workers), str(queued), *each, costs(measured)[-1])
            simulated.clear(scene.database)
    Console(width=130).print(table)


def test_what_a_batch_and_a_sweep_ask(scene: Scene, numbers: list[int]) -> None:
    table = shown("Once, in ms", "running", "queued", "queue a batch of 100", "depth", "turn", "sweep of the leader")
    for workers in numbers:
        for queued in QUEUED:
            simulated.queue_jobs(scene.database, scene.queue, queued)
            simulated.take(scene.database, min(workers, queued // 2))
            begun = time.monotonic()
            simulated.queue_jobs(scene.database, scene.queue, 100, first=queued + 1)
            batch = time.monotonic() - begun
            begun = time.monotonic()
            scene.queue.depth()
            depth = time.monotonic() - begun
            begun = time.monotonic()
            with scene.database.begin() as connection:
                next(turns.next_turns(connection, "owner1", Priority.NORMAL))
            turn = time.monotonic() - begun
            sweep = _sweep_seconds(scene, min(workers, queued // 2))
            table.add_row(str(workers), str(queued), *(f"{1000 * each:.1f}" for each in (batch, depth, turn, sweep)))
            simulated.clear(scene.database)
    Console(width=130).print(table)


def _sweep_seconds(scene: Scene, workers: int) -> float:
    """While each of so many workers holds its lock."""
    engine = sa.create_engine(scene.database.url, poolclass=sa.NullPool)
    lock = sa.text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")
    dead: list[str] = []
    with ExitStack() as sessions:
        for number in range(1, workers + 1):
            sessions.enter_context(engine.connect()).execute(lock, {"name": f"chorus:worker:w{number}"})
        leader = TakeOver(scene.database, "leader", dead.append, lambda _: None, lambda: False, 30)
        begun = time.monotonic()
        leader._sweep()
        taken = time.monotonic() - begun
        leader.stop()
    assert dead == []
    return taken
