"""What only PostgreSQL and a bucket can do: several workers share the queue and take over from the dead."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import psutil
import pytest
import sqlalchemy as sa

from services.jobs import tables
from services.jobs.engine.beats import count_taking
from services.local.ports import free_port
from tests.gateway_stack import (
    Gateway,
    StackSettings,
    is_alive,
    make_settings,
    open_gateway,
    render_log,
    running_worker,
    wait_until,
)
from tests.states import Servers

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def gateway(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = make_settings(tmp_path_factory.mktemp("postgres"), **servers.new_state(), worker_slots=1)
    with open_gateway(settings) as doors:
        yield doors


def other_worker(settings: StackSettings) -> StackSettings:
    """As a worker on another machine: a scratch folder of its own."""
    scratch = settings.scratch.parent / "other" / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    log = scratch.parent / "renders"
    if not log.exists():
        log.symlink_to(render_log(settings))
    return settings.model_copy(update={"scratch": scratch})


def test_two_workers_share_a_batch_and_one_takes_over_from_the_other(gateway: Gateway) -> None:
    settings = gateway.settings
    with running_worker(settings) as first, running_worker(other_worker(settings)) as second:
        batch = gateway.start_batch("slow-2.mp4", "slow-2.mp4", "fail.mp4")
        ids = [job["id"] for job in batch["jobs"]]
        wait_until(lambda: [gateway.job(each)["state"] for each in ids[:2]] == ["running", "running"])
        jobs = [gateway.wait_for(each, "succeeded", "failed") for each in ids]
        assert [job["state"] for job in jobs] == ["succeeded", "succeeded", "failed"]
        assert [len(gateway.renders(each)) for each in ids] == [1, 1, 1]

        second_batch = gateway.start_batch("slow-3.mp4", "slow-12.mp4", "fail.mp4")
        orphan, busy, waiting = (job["id"] for job in second_batch["jobs"])
        wait_until(lambda: gateway.renders(busy))
        (child,) = wait_until(lambda: gateway.renders(orphan))
        owner = first if child in descendants(first.pid) else second
        owner.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_alive(child), 3)
        wait_until(lambda: len(gateway.renders(orphan)) == 2, 25)
        assert gateway.renders(waiting) == []
        job = gateway.wait_for(orphan, "succeeded", "failed")
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert len(gateway.renders(orphan)) == 2
    listed = gateway.http.get("/v1/jobs", params={"batch": batch["id"], "state": "failed", "name": "FAIL"}).json()
    assert (listed["total"], listed["items"][0]["error"]["kind"]) == (1, "no_face")
    assert gateway.http.delete(f"/v1/jobs/{ids[2]}").status_code == 204


def descendants(pid: int) -> set[int]:
    """Children and what is below them: a render child is a copy of its worker's zygote."""
    return {process.pid for process in psutil.Process(pid).children(recursive=True)}


def worker_log(settings: StackSettings) -> str:
    return (settings.scratch.parent / "worker.log").read_text()


def cut_lock_sessions(servers: Servers) -> None:
    """As a network does that is cut for a moment."""
    with servers.postgres.administer() as connection:
        held = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) FROM ({held}) AS holders"))


def test_jobs_go_on_while_the_database_restarts_and_when_sessions_are_cut(gateway: Gateway, servers: Servers) -> None:
    settings, other = gateway.settings, other_worker(gateway.settings)
    with running_worker(settings) as first, running_worker(other) as second:
        batch = gateway.start_batch("slow-8.mp4", "slow-8.mp4")
        ids = [job["id"] for job in batch["jobs"]]
        wait_until(lambda: all(gateway.renders(each) for each in ids))
        servers.postgres.restart()
        wait_until(lambda: all("shows again" in worker_log(each) for each in (settings, other)))
        cut_lock_sessions(servers)
        jobs = [gateway.wait_for(each, "succeeded", "failed") for each in ids]
        assert [(job["state"], job["attempt"]) for job in jobs] == [("succeeded", 1)] * 2
        assert [len(gateway.renders(each)) for each in ids] == [1, 1]
        assert (first.poll(), second.poll()) == (None, None)


def test_a_worker_that_was_taken_for_dead_ends_its_job_and_goes_on(gateway: Gateway, servers: Servers) -> None:
    settings = gateway.settings
    with running_worker(settings) as frozen, ExitStack() as later:
        job_id = gateway.start_job("slow-9.mp4")
        (child,) = wait_until(lambda: gateway.renders(job_id))
        frozen.send_signal(signal.SIGSTOP)
        later.callback(frozen.send_signal, signal.SIGCONT)
        cut_lock_sessions(servers)
        # As if it had been stopped in the middle of a write.
        held = later.enter_context(gateway.database.connect())
        held.execute(sa.text("SELECT 1 FROM dbos.workflow_status FOR UPDATE"))
        later.callback(held.invalidate)
        with running_worker(other_worker(settings)) as peer:
            wait_until(lambda: len(gateway.renders(job_id)) == 2, 40)
            later.close()
            wait_until(lambda: not is_alive(child), 5)
            job = gateway.wait_for(job_id, "succeeded", "failed")
            assert (job["state"], job["attempt"]) == ("succeeded", 2)
            peer.send_signal(signal.SIGTERM)
            peer.wait(10)
        assert gateway.wait_for(gateway.start_job("slow-0.mp4"), "succeeded", "failed")["state"] == "succeeded"
        assert frozen.poll() is None


@pytest.mark.timeout(300)
def test_a_stopped_worker_whose_session_lives_loses_its_job_and_goes_on(gateway: Gateway) -> None:
    settings = gateway.settings.model_copy(update={"beat_seconds": 0.5})
    # Those of the tests before were killed: with their slower beats, they count for another minute.
    with tables.transaction(gateway.database) as connection:
        connection.execute(sa.delete(tables.workers))
    with running_worker(settings) as frozen, ExitStack() as later:
        job_id = gateway.start_job("slow-60.mp4")
        (child,) = wait_until(lambda: gateway.renders(job_id))
        frozen.send_signal(signal.SIGSTOP)
        later.callback(frozen.send_signal, signal.SIGCONT)
        with running_worker(other_worker(settings)) as peer:
            wait_until(lambda: len(gateway.renders(job_id)) == 2, 60)
            assert "lives but does nothing" in worker_log(other_worker(settings))
            later.close()
            wait_until(lambda: not is_alive(child))
            assert gateway.job(job_id)["attempt"] == 2
            gateway.http.post(f"/v1/jobs/{job_id}/cancel")
            wait_until(lambda: how_many_workers(gateway) == 2)
            assert (frozen.poll(), peer.poll()) == (None, None)
            assert gateway.wait_for(gateway.start_job("slow-0.mp4"), "succeeded", "failed")["state"] == "succeeded"


def how_many_workers(gateway: Gateway) -> int:
    with gateway.database.connect() as connection:
        return count_taking(connection)


def test_a_worker_that_stops_hands_its_job_back(gateway: Gateway) -> None:
    with running_worker(gateway.settings) as stopping:
        job_id = gateway.start_job("slow-12.mp4")
        wait_until(lambda: gateway.job(job_id)["attempt"] == 1, 25)
        stopping.send_signal(signal.SIGTERM)
        assert stopping.wait(10) == 0
    job = gateway.job(job_id)
    assert (job["state"], job["attempt"]) == ("queued", 0)
    assert gateway.http.post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"


def test_a_worker_that_may_drain_finishes_its_job_and_takes_no_other(gateway: Gateway) -> None:
    door = {"metrics_host": "127.0.0.1", "metrics_port": free_port()}
    said = len(worker_log(gateway.settings))
    with running_worker(gateway.settings.model_copy(update={"drain_seconds": 20, **door})) as draining:
        probe = f"http://127.0.0.1:{door['metrics_port']}"
        assert [httpx.get(probe + path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
        running = gateway.start_job("slow-4.mp4")
        wait_until(lambda: gateway.renders(running))
        draining.send_signal(signal.SIGTERM)
        wait_until(lambda: httpx.get(probe + "/readyz").status_code == 503)
        waiting = gateway.start_job("slow-0.mp4")
        assert draining.wait(15) == 0
    job = gateway.job(running)
    assert (job["state"], job["attempt"]) == ("succeeded", 1)
    assert (gateway.job(waiting)["state"], gateway.renders(waiting)) == ("queued", [])
    assert "Traceback" not in worker_log(gateway.settings)[said:]
    assert gateway.http.post(f"/v1/jobs/{waiting}/cancel").json()["state"] == "cancelled"


def test_one_worker_looks_for_the_dead_and_many_look_into_the_queue_less_often(gateway: Gateway) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE (classid::bigint << 32 | objid::bigint) = hashtextextended('{}', 0)"
    leaders, workers = held.format("chorus:sweep"), held.format("chorus:workers")
    interval = "SELECT polling_interval_sec FROM dbos.queues WHERE name = 'render'"

    def ask(words: str) -> float:
        with gateway.database.connect() as connection:
            return float(connection.execute(sa.text(words)).scalar_one())

    with running_worker(gateway.settings) as first, running_worker(other_worker(gateway.settings)):
        wait_until(lambda: ask(leaders) == 1 and ask(workers) == 2)
        # With n of them, each word of a job would wake n sessions.
        assert ask("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'") == 0
        first.kill()
        wait_until(lambda: ask(workers) == 1)
        wait_until(lambda: ask(leaders) == 1)
        with ExitStack() as more:
            engine = sa.create_engine(gateway.database.url, poolclass=sa.NullPool)
            for _ in range(139):
                session = more.enter_context(engine.connect())
                session.execute(sa.text("SELECT pg_advisory_lock_shared(hashtextextended('chorus:workers', 0))"))
            wait_until(lambda: ask(interval) == 0.7)
        wait_until(lambda: ask(interval) == 0.5)
