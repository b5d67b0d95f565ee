"""Workers that die, stop and double: every job still ends well, with one output."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from services.errors import ChorusError, ErrorKind
from services.jobs import tables
from services.jobs.engine.beats import WorkerBeats, count_taking
from services.jobs.engine.queue import JobQueue, open_queue
from services.jobs.engine.runner import RenderSettings
from services.jobs.engine.worker import Worker
from services.jobs.model import JobState
from services.library.retention import apply_retention
from services.watchdog import Watchdog
from tests import gateway_stack
from tests.gateway_stack import (
    Gateway,
    is_alive,
    make_settings,
    open_gateway,
    running_worker,
    wait_until,
)
from tests.states import NewState

# What a test asks of operations itself, it asks as the system.
pytestmark = pytest.mark.usefixtures("as_system")


@pytest.fixture
def gateway(new_state: NewState, tmp_path: Path) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path, **new_state())) as doors:
        yield doors


def outputs(gateway: Gateway) -> list[str]:
    return sorted(key.removeprefix("outputs/") for key in gateway.storage.keys("outputs"))


def has_renders(gateway: Gateway, job_id: str, count: int) -> bool:
    return len(gateway.renders(job_id)) == count


def has_text(path: Path, text: str) -> bool:
    return text in path.read_text()


def test_a_job_survives_a_killed_and_a_stopped_worker(gateway: Gateway) -> None:
    with running_worker(gateway.settings) as killed:
        job_id = gateway.start_job("slow-3.mp4")
        (child,) = wait_until(lambda: gateway.renders(job_id))
        wait_until(lambda: gateway.job(job_id)["progress"])
        killed.send_signal(signal.SIGKILL)
        killed.wait(5)
        wait_until(lambda: not is_alive(child), 3)
    assert gateway.job(job_id)["state"] == "running"
    with running_worker(gateway.settings) as stopped:
        wait_until(partial(has_renders, gateway, job_id, 2))
        refuse_second_worker(gateway)
        stopped.send_signal(signal.SIGTERM)
        assert stopped.wait(10) == 0
    assert not any(map(is_alive, gateway.renders(job_id)))
    handed_back = gateway.job(job_id)
    assert (handed_back["state"], handed_back["attempt"]) == ("queued", 1)
    with running_worker(gateway.settings):
        job = gateway.wait_for(job_id, "succeeded", "failed")
    # The death counts, the stop does not.
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert gateway.causes(job_id) == ["new", "worker_died", "worker_drained"]
    assert outputs(gateway) == [f"{job_id}.mp4"]
    assert not list((gateway.settings.scratch / "jobs").iterdir())


@pytest.mark.chaos
def test_waiting_jobs_without_a_worker_are_told(gateway: Gateway) -> None:
    def workers() -> dict[str, object]:
        checks = gateway.http.get("/v1/dependencies").json()
        return next(check for check in checks if check["name"] == "workers")

    assert workers()["ready"], "nothing waits"
    job_id = gateway.start_job("slow-0.mp4")
    told = wait_until(lambda: not (found := workers())["ready"] and found)
    assert "No worker takes jobs, 1 wait" in told["message"]
    quick = gateway.settings.model_copy(update={"beat_seconds": 0.4})
    with running_worker(quick) as worker:
        gateway.wait_for(job_id, "succeeded")
        assert "chorus_workers 1.0" in gateway.http.get("/metrics").text
        worker.send_signal(signal.SIGSTOP)
        waiting = gateway.start_job("slow-0.mp4")
        wait_until(lambda: not workers()["ready"])
        worker.send_signal(signal.SIGCONT)
        gateway.wait_for(waiting, "succeeded")
        wait_until(lambda: workers()["ready"])
        worker.send_signal(signal.SIGTERM)
        worker.wait(10)
    with gateway.database.connect() as connection:
        assert count_taking(connection) == 0


def test_a_worker_whose_queue_is_not_read_is_hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, _ = open_queue(f"sqlite:///{tmp_path / 'chorus.db'}")
    watchdog = Watchdog()
    beats = WorkerBeats(database, "local", 1, watchdog, 0.1)
    beats.start()
    try:
        assert watchdog.hung() == []
        now = time.monotonic()
        monkeypatch.setattr("services.watchdog.time.monotonic", lambda: now + 290)
        beats.polled()
        monkeypatch.setattr("services.watchdog.time.monotonic", lambda: now + 580)
        assert "queue" not in watchdog.hung()
        monkeypatch.setattr("services.watchdog.time.monotonic", lambda: now + 600)
        assert "queue" in watchdog.hung()
        time.sleep(0.6)
        with database.connect() as connection:
            assert count_taking(connection) == 0, "it says nothing while it hangs"
        beats.drain()
        assert "queue" not in watchdog.hung()
    finally:
        monkeypatch.undo()
        beats.stop()


def refuse_second_worker(gateway: Gateway) -> None:
    places = [(gateway.settings.scratch, "scratch folder")]
    if tables.sqlite_path(gateway.database) is not None:
        places.append((Path("elsewhere"), "SQLite database"))
    for scratch, what in places:
        folder = gateway.settings.scratch.parent / scratch
        render = RenderSettings(command=(), scratch=folder, stalls=gateway.settings.stalls)
        with pytest.raises(ChorusError, match=f"Another worker uses the {what}") as refusal:
            Worker(gateway.database, gateway.storage, render, slots=1, drain_seconds=0, beat_seconds=30)
        assert refusal.value.kind is ErrorKind.CONFLICT


@pytest.mark.chaos
def test_a_job_that_kills_its_worker_again_and_again_is_given_up(gateway: Gateway) -> None:
    job_id = gateway.start_job("slow-30.mp4")
    for start in range(1, 5):
        with running_worker(gateway.settings) as worker:
            wait_until(partial(has_renders, gateway, job_id, start))
            worker.send_signal(signal.SIGKILL)
            worker.wait(5)
    with running_worker(gateway.settings):
        job = gateway.wait_for(job_id, "failed")
    assert job["error"]["kind"] == "internal"
    assert "worker died" in job["error"]["message"]
    assert gateway.http.post(f"/v1/jobs/{job_id}/retry").json()["state"] == "queued"


def test_retention_deletes_what_is_old(gateway: Gateway) -> None:
    queue, operations = JobQueue(gateway.database), gateway.operations
    retain = partial(apply_retention, queue, operations.outputs, operations.media)
    with running_worker(gateway.settings):
        done = gateway.start_job("anna.mp4")
        gateway.wait_for(done, "succeeded")
        waiting = gateway.start_batch("slow-30.mp4", "slow-30.mp4", "anna.mp4")["jobs"][2]["id"]
        unused = gateway.upload("unused.wav")
        retain(0)
        retain(1)
        assert gateway.job(done)["state"] == "succeeded"
        time.sleep(0.1)
        retain(0.05 / (24 * 3600))
    assert gateway.http.get(f"/v1/jobs/{done}").status_code == 404
    assert outputs(gateway) == []
    assert gateway.http.get(f"/v1/media/{unused}").status_code == 404
    assert gateway.job(waiting)["state"] == JobState.QUEUED


def test_the_real_processes_start_and_stop(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, port=0, grpc_port=0)
    for name in ("gateway", "worker"):
        log = tmp_path / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", f"services.{name}"],
                cwd=gateway_stack.ROOT,
                env=gateway_stack.environment_of(settings),
                stdout=subprocess.PIPE,
                stderr=output,
            )
        try:
            wait_until(partial(has_text, log, "is ready"), 30)
            process.send_signal(signal.SIGTERM)
            stdout, _ = process.communicate(timeout=10)
        finally:
            process.kill()
            process.wait(5)
        assert process.returncode == 0, log.read_text()
        assert stdout == b""
        assert "Traceback" not in log.read_text()
