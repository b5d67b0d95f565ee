"""What hundreds of watchers cost those who only ask. Prints a table, asserts a ratio."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.console import Console
from rich.table import Table

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.grpc_client import open_channel
from tests.gateway_stack import Gateway, make_settings, open_gateway

WATCHERS, CALLS = 200, 300
pytestmark = pytest.mark.timeout(300)


def test_calls_beside_400_watchers(tmp_path: Path) -> None:
    with open_gateway(make_settings(tmp_path)) as gateway, ExitStack() as watching:
        job_id = gateway.start_job("waits.mp4")
        alone = _milliseconds(gateway, job_id)
        address = gateway.channel._channel.target().decode()  # type: ignore[attr-defined]
        channel = watching.enter_context(open_channel(address.removeprefix("dns:///")))
        stub, health = GatewayServiceStub(channel), health_pb2_grpc.HealthStub(channel)
        for _ in range(WATCHERS):
            for call in (
                stub.WatchJob(pb.WatchJobRequest(job_id=job_id)),
                health.Watch(health_pb2.HealthCheckRequest()),
            ):
                watching.callback(call.cancel)
                next(iter(call))
        beside = _milliseconds(gateway, job_id)
    table = Table(
        "", "p50 ms", "p99 ms", "largest", title=f"GetJob, ListJobs and Check beside {WATCHERS} + {WATCHERS} watchers"
    )
    for name, taken in (("alone", alone), ("beside watchers", beside)):
        cuts = statistics.quantiles(taken, n=100)
        table.add_row(name, f"{cuts[49]:.1f}", f"{cuts[98]:.1f}", f"{max(taken):.1f}")
    Console().print(table)
    # The watchers of one job share one look a second: what they cost is to be told of it.
    assert statistics.median(beside) < 5 * statistics.median(alone)


def _milliseconds(gateway: Gateway, job_id: str) -> list[float]:
    stub, health = GatewayServiceStub(gateway.channel), health_pb2_grpc.HealthStub(gateway.channel)
    taken = []
    for number in range(CALLS):
        started = time.monotonic()
        if number % 3 == 0:
            stub.GetJob(pb.GetJobRequest(job_id=job_id))
        elif number % 3 == 1:
            stub.ListJobs(pb.ListJobsRequest())
        else:
            health.Check(health_pb2.HealthCheckRequest())
        taken.append(1000 * (time.monotonic() - started))
    return taken
