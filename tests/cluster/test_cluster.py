"""Two of each pod on PostgreSQL and S3 behind a proxy: killed, cut off, restarted and replaced; nothing is lost."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from rich.console import Console
from rich.table import Table

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1 import gateway_pb2_grpc as rpc
from tests.announcement import announcement
from tests.cluster.caller import Caller, Load, until
from tests.cluster.cluster import COMPONENTS, TOKEN, Cluster

SPEECH_SECONDS = 3
VIDEOS = 20
BATCH_SECONDS = 900
RECOVERY_SECONDS = 90
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def caller(cluster: Cluster) -> Caller:
    found = Caller(cluster.proxy.http)
    until(lambda: found.ask("GET", "/v1/jobs"), RECOVERY_SECONDS)
    return found


def test_a_batch_outlives_every_kind_of_death(cluster: Cluster, caller: Caller, tmp_path: Path) -> None:
    begun = time.monotonic()
    jobs = caller.start_batch(announcement(tmp_path / "speech.wav", SPEECH_SECONDS), VIDEOS)
    recoveries: dict[str, float] = {}
    until(lambda: len(running(caller, jobs)) == 2, 120)
    recoveries["worker killed: its job runs again"] = kill_worker(cluster, caller, jobs)
    for component in ("preprocess", "triton", "api"):
        recoveries[f"{component} killed: two are ready"] = kill_first(cluster, component)
    recoveries["PostgreSQL restarted: the api answers"] = restart_postgres(cluster, caller)
    recoveries["a worker's connection cut: it shows again that it lives"] = cut_off_worker(cluster)
    recoveries["bucket away for 20 s: the next output"] = stop_bucket(cluster, caller, jobs)
    until(lambda: all(job["state"] not in ("queued", "running") for job in caller.jobs(jobs)), BATCH_SECONDS)
    print_recoveries(recoveries, time.monotonic() - begun)
    assert_every_output_is_there_once(cluster, caller, jobs)


def kill_worker(cluster: Cluster, caller: Caller, jobs: list[str]) -> float:
    """Seconds until a second attempt at its job began."""
    before = attempts(caller, jobs)
    cluster.pods["worker"][0].kill()
    return until(lambda: attempts(caller, jobs) > before, RECOVERY_SECONDS)


def kill_first(cluster: Cluster, component: str) -> float:
    """Seconds until it runs again and is ready."""
    cluster.pods[component][0].kill()
    return until(lambda: ready(cluster, component) == 2, RECOVERY_SECONDS)


def attempts(caller: Caller, jobs: list[str]) -> int:
    """Of all jobs beyond their first."""
    return sum(max(job["attempt"] - 1, 0) for job in caller.jobs(jobs))


def restart_postgres(cluster: Cluster, caller: Caller) -> float:
    """Seconds from the moment when it is told to restart."""
    begun = time.monotonic()
    cluster.postgres.restart()
    until(lambda: caller.ask("GET", "/v1/jobs"), RECOVERY_SECONDS)
    return time.monotonic() - begun


def cut_off_worker(cluster: Cluster) -> float:
    """End the session by which a worker with a job shows that it lives; seconds until it has another."""
    until(lambda: len(cluster.sessions_of_busy_workers()) == 2, RECOVERY_SECONDS)
    cut, other = cluster.sessions_of_busy_workers()
    cluster.end_session(cut)
    return until(lambda: len(set(cluster.sessions_of_busy_workers()) - {cut, other}) == 1, RECOVERY_SECONDS)


def stop_bucket(cluster: Cluster, caller: Caller, jobs: list[str]) -> float:
    """Seconds from its return until one more job has succeeded."""
    cluster.bucket.stop()
    time.sleep(20)
    cluster.bucket.start()
    before = len(succeeded(caller, jobs))
    return until(lambda: len(succeeded(caller, jobs)) > before, RECOVERY_SECONDS)


def running(caller: Caller, jobs: list[str]) -> list[str]:
    """Ids of jobs that render right now."""
    return [
        job["id"]
        for job in caller.jobs(jobs)
        if job["state"] == "running" and (job["progress"] or {}).get("stage") == "rendering"
    ]


def succeeded(caller: Caller, jobs: list[str]) -> list[str]:
    """Ids of jobs that are done."""
    return [job["id"] for job in caller.jobs(jobs) if job["state"] == "succeeded"]


def ready(cluster: Cluster, component: str) -> int:
    """How many pods are."""
    return sum(pod.is_ready() for pod in cluster.pods[component])


def print_recoveries(recoveries: dict[str, float], whole: float) -> None:
    table = Table(title=f"{VIDEOS} videos of {SPEECH_SECONDS} s, two pods of each kind: {whole:.0f} s in all")
    table.add_column("what happened, and until when")
    table.add_column("seconds", justify="right")
    for name, seconds in recoveries.items():
        table.add_row(name, f"{seconds:.1f}")
    Console(width=100).print(table)


def assert_every_output_is_there_once(cluster: Cluster, caller: Caller, jobs: list[str]) -> None:
    found = caller.jobs(jobs)
    assert [job["state"] for job in found] == ["succeeded"] * VIDEOS, [job["error"] for job in found]
    outputs = [caller.insist("GET", f"/v1/jobs/{job['id']}/output").content for job in found]
    assert [len(each) for each in outputs] == [job["output_bytes"] for job in found]
    # The same video and the same speech give the same bits, whoever rendered them and however often.
    assert len({hashlib.sha256(each).hexdigest() for each in outputs}) == 2
    assert len(cluster.output_keys()) == VIDEOS


def test_a_rolling_restart_of_everything_fails_no_request_and_tries_no_job_twice(
    cluster: Cluster, caller: Caller, tmp_path: Path
) -> None:
    speech = announcement(tmp_path / "speech.wav", SPEECH_SECONDS)
    jobs = caller.start_batch(speech, VIDEOS, first=100)
    until(lambda: len(running(caller, jobs)) == 2, 120)
    load, seconds = Load(), {}
    with grpc.insecure_channel(cluster.proxy.grpc) as channel, load.running(requests(caller, channel, speech)):
        for component in COMPONENTS:
            begun = time.monotonic()
            for pod in list(cluster.pods[component]):
                cluster.replace(pod)
            seconds[component] = time.monotonic() - begun
    until(lambda: all(job["state"] not in ("queued", "running") for job in caller.jobs(jobs)), BATCH_SECONDS)
    Console(width=100).print(f"replaced, seconds: {seconds}; answered: {load.answered}")
    assert load.failed == []
    assert all(load.answered.get(name, 0) > 10 for name in ("rest", "grpc", "upload")), load.answered
    ended = [(job["state"], job["attempt"], job["error"]) for job in caller.jobs(jobs)]
    assert ended == [("succeeded", 1, None)] * VIDEOS


def requests(caller: Caller, channel: grpc.Channel, speech: Path) -> dict[str, Callable[[], object]]:
    """What other services ask all the time; none of it is tried again."""
    chorus = rpc.GatewayServiceStub(channel)
    token = (("authorization", f"Bearer {TOKEN}"),)
    return {
        "rest": lambda: caller.ask("GET", "/v1/jobs", params={"limit": 5}),
        "grpc": lambda: chorus.ListJobs(pb.ListJobsRequest(limit=5), timeout=30, metadata=token),
        "upload": lambda: caller.ask("POST", "/v1/media", params={"name": "a.wav"}, content=speech.read_bytes()),
    }
