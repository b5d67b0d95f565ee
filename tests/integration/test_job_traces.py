"""A job's trace, from each door through a real queue and worker processes that fail, die and follow each other."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from services import telemetry
from services.gateway.operations.batch_request import BatchRequest
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.jobs.options import RenderOptions
from services.local.ports import free_port
from services.telemetry import TracingSettings
from tests.gateway_stack import Gateway, is_alive, make_settings, open_gateway, running_worker, wait_until
from tests.otlp_receiver import Collector, Received, orphans, running_collector

# What a test asks of operations itself, it asks as the system.
pytestmark = pytest.mark.usefixtures("as_system")

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = f"00-{TRACE}-{PARENT}-01"
OF_A_WORKER = ["attempt", "claim", "publish", "queue wait"]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as running, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.address)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield running


@pytest.fixture(scope="module")
def traced(collector: Collector) -> Iterator[None]:
    """This process is traced as the api is."""
    telemetry.configure_tracing("api", TracingSettings())
    yield
    telemetry.end_tracing()


@pytest.fixture(scope="module")
def gateway(traced: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The doors in this process, and a worker."""
    with open_gateway(make_settings(tmp_path_factory.mktemp("traced"))) as doors, running_worker(doors.settings):
        yield doors


@pytest.fixture
def without_worker(traced: None, tmp_path: Path) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path)) as doors:
        yield doors


def names_of(trace: list[Received], service: str) -> list[str]:
    return sorted(each.name for each in trace if each.service == service)


def attempts_of(trace: list[Received]) -> list[tuple[int, str]]:
    """Number and cause of each attempt."""
    attempts = [each.attributes for each in trace if each.name == "attempt"]
    return sorted((each["chorus.attempt"], each["chorus.attempt.cause"]) for each in attempts)


def has_published(trace: list[Received]) -> bool:
    """A job's last span is that of its attempt, which ends after its publishing."""
    attempts = {each.span_id for each in trace if each.name == "attempt"}
    return any(each.name == "publish" and each.parent_id in attempts for each in trace)


def test_rest_goes_on_with_the_trace_of_its_caller(gateway: Gateway, collector: Collector) -> None:
    body = {"audio_id": gateway.upload("speech.wav"), "video_ids": [gateway.upload("anna.mp4")]}
    batch = gateway.http.post("/v1/batches", json=body, headers={"traceparent": CALLER}).json()
    job_id = batch["jobs"][0]["id"]
    trace = collector.wait_for(job_id, has_published)
    assert {each.trace_id for each in trace} == {TRACE}
    assert names_of(trace, "chorus-api") == ["POST /v1/batches", "create batch", "enqueue job"]
    assert names_of(trace, "chorus-worker") == OF_A_WORKER
    assert orphans(trace) == ["POST /v1/batches"]
    (request,) = (each for each in trace if each.name == "POST /v1/batches")
    assert (request.parent_id, request.attributes["http.response.status_code"]) == (PARENT, 201)
    (attempt,) = (each for each in trace if each.name == "attempt")
    assert attempt.attributes == {
        "chorus.batch.id": batch["id"],
        "chorus.job.id": job_id,
        "chorus.attempt": 1,
        "chorus.attempt.cause": "new",
    }
    waits = {each.name: each for each in trace}
    assert waits["enqueue job"].begin_ns < waits["queue wait"].end_ns == waits["claim"].begin_ns
    assert waits["claim"].end_ns <= attempt.begin_ns
    assert abs(waits["queue wait"].begin_ns - waits["create batch"].begin_ns) < 10**9


def test_grpc_goes_on_with_the_trace_of_its_caller(gateway: Gateway, collector: Collector) -> None:
    caller = CALLER.replace("0af7", "1af7")
    batch = GatewayServiceStub(gateway.channel).CreateBatch(
        pb.CreateBatchRequest(audio_id=gateway.upload("speech.wav"), video_ids=[gateway.upload("anna.mp4")]),
        metadata=(("traceparent", caller),),
    )
    trace = collector.wait_for(batch.jobs[0].id, has_published)
    assert orphans(trace) == ["chorus.gateway.v1.GatewayService/CreateBatch"]
    assert {each.trace_id for each in trace} == {caller[3:35]}


def test_the_page_begins_a_trace_and_so_does_each_job_of_a_larger_batch(gateway: Gateway, collector: Collector) -> None:
    videos = [gateway.upload("anna.mp4"), gateway.upload("bert.mp4")]
    ask = partial(BatchRequest, audio_id=gateway.upload("speech.wav"), options=RenderOptions())
    alone = gateway.operations.create_batch(ask(video_ids=videos[:1]))
    both = gateway.operations.create_batch(ask(video_ids=videos))
    (trace,) = (collector.wait_for(job.id, has_published) for job in gateway.operations.jobs_of(alone.id))
    assert names_of(trace, "chorus-api") == ["create batch", "enqueue job"]
    assert orphans(trace) == []
    traces = [collector.wait_for(job.id, has_published) for job in gateway.operations.jobs_of(both.id)]
    assert [names_of(each, "chorus-api") for each in traces] == [["enqueue job"]] * 2
    assert len({each[0].trace_id for each in [trace, *traces]}) == 3


def test_a_try_that_failed_and_the_next_one_are_spans_of_one_trace(gateway: Gateway, collector: Collector) -> None:
    job_id = gateway.start_job("flaky.mp4")
    trace = collector.wait_for(job_id, has_published)
    assert attempts_of(trace) == [(1, "new"), (2, "error")]
    assert [each.attributes["error.type"] for each in trace if each.failed] == ["service-unreachable"]
    assert orphans(trace) == []


def test_another_worker_goes_on_with_the_trace_of_one_that_was_killed(
    without_worker: Gateway, collector: Collector
) -> None:
    gateway = without_worker
    with running_worker(gateway.settings) as killed:
        job_id = gateway.start_job("slow-2.mp4")
        (child,) = wait_until(lambda: gateway.renders(job_id))
        collector.wait_for(job_id, lambda spans: "claim" in names_of(spans, "chorus-worker"))
        killed.send_signal(signal.SIGKILL)
        killed.wait(5)
        wait_until(lambda: not is_alive(child), 3)
    with running_worker(gateway.settings):
        trace = collector.wait_for(job_id, has_published)
    # The span of the killed attempt died with its process.
    assert attempts_of(trace) == [(2, "worker_died")]
    assert names_of(trace, "chorus-worker") == ["attempt", "claim", "claim", "publish", "queue wait"]
    assert orphans(trace) == []


def test_a_job_is_done_as_well_while_the_collector_is_away(
    without_worker: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = without_worker
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with running_worker(gateway.settings) as worker:
        job_id = gateway.start_job("anna.mp4")
        assert gateway.wait_for(job_id, "succeeded")["attempt"] == 1
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
    log = (gateway.settings.scratch.parent / "worker.log").read_text()
    assert log.count("no traces reach") == 1
