"""Hundreds who watch over gRPC cost no threads and keep nobody else waiting, and who has no token waits for nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until

WATCHERS = 200
TOKEN = "a token of this test"
METHOD = "/chorus.gateway.v1.GatewayService/GetJob"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path_factory.mktemp("watchers"))) as doors:
        yield doors


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path_factory.mktemp("locked"), token=TOKEN)) as doors:
        yield doors


def test_watchers_hold_no_threads_of_the_server(gateway: Gateway) -> None:
    job_id = gateway.start_job("waits for a worker.mp4")
    stub, health = GatewayServiceStub(gateway.channel), health_pb2_grpc.HealthStub(gateway.channel)
    before = {each.ident for each in threading.enumerate()}
    with ExitStack() as calls:
        for _ in range(WATCHERS):
            for call in (
                stub.WatchJob(pb.WatchJobRequest(job_id=job_id)),
                health.Watch(health_pb2.HealthCheckRequest()),
            ):
                calls.callback(call.cancel)
                next(iter(call))
        more = [each.name for each in threading.enumerate() if each.ident not in before]
        # The loop's pool may grow by a few, for the reads of the database; the watchers themselves need none.
        assert len(more) <= 16, sorted(more)
        assert stub.GetJob(pb.GetJobRequest(job_id=job_id), timeout=10).state == "queued"
        assert stub.ListJobs(pb.ListJobsRequest(), timeout=10).total == 1
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=10).status == 1
    gateway.http.post(f"/v1/jobs/{job_id}/cancel")


def test_a_watch_after_a_retry_does_not_end_with_what_was_before(gateway: Gateway) -> None:
    job_id = gateway.start_job("retried.mp4")
    stub, watched = GatewayServiceStub(gateway.channel), pb.WatchJobRequest(job_id=job_id)
    stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
    assert [job.state for job in stub.WatchJob(watched)] == ["cancelled"]
    stub.RetryJob(pb.RetryJobRequest(job_id=job_id))
    watch = stub.WatchJob(watched)
    assert next(iter(watch)).state == "queued"
    watch.cancel()
    stub.CancelJob(pb.CancelJobRequest(job_id=job_id))


def test_a_watcher_is_told_of_the_end(gateway: Gateway) -> None:
    job_id = gateway.start_job("cancelled.mp4")
    stub = GatewayServiceStub(gateway.channel)
    watch = stub.WatchJob(pb.WatchJobRequest(job_id=job_id))
    assert next(iter(watch)).state == "queued"
    stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
    assert [job.state for job in watch][-1] == "cancelled"


def test_who_has_no_token_is_refused_before_a_message_is_waited_for(locked: Gateway) -> None:
    silent = threading.Event()

    def never() -> Iterator[bytes]:
        silent.wait(30)
        yield from ()

    with ExitStack() as calls:
        for _ in range(WATCHERS):
            unary: grpc.StreamUnaryMultiCallable[bytes, bytes] = locked.channel.stream_unary(METHOD)
            call = unary.future(never())
            calls.callback(call.cancel)
            refused = wait_until(lambda call=call: call.done() and call)  # type: ignore[misc]
            assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
        silent.set()
    stub = GatewayServiceStub(locked.channel)
    bearer = (("authorization", f"Bearer {TOKEN}"),)
    assert stub.GetQueue(pb.GetQueueRequest(), metadata=bearer, timeout=10).counts["queued"] == 0


def test_calls_that_never_send_their_message_keep_nobody_out(locked: Gateway) -> None:
    bearer = (("authorization", f"Bearer {TOKEN}"),)
    silent = threading.Event()

    def never() -> Iterator[bytes]:
        silent.wait(30)
        yield from ()

    with ExitStack() as calls:
        for _ in range(64):
            unary: grpc.StreamUnaryMultiCallable[bytes, bytes] = locked.channel.stream_unary(METHOD)
            calls.callback(unary.future(never(), metadata=bearer).cancel)
        stub = GatewayServiceStub(locked.channel)
        assert stub.GetQueue(pb.GetQueueRequest(), metadata=bearer, timeout=10).counts["queued"] == 0
        silent.set()
