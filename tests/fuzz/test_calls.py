"""Every call of the gRPC door with messages that nobody would send: an answer or a refusal, never a failure of ours."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from rich.console import Console
from rich.table import Table

from services.gateway.v1 import gateway_pb2
from tests.fuzz.mutations import filled
from tests.gateway_stack import Gateway, make_settings, open_gateway, running_worker

_SERVICE = gateway_pb2.DESCRIPTOR.services_by_name["GatewayService"]
_CODE = grpc.StatusCode
# INTERNAL, UNKNOWN, UNAVAILABLE and the like are failures of ours; who watches what never changes sees its deadline.
_FINE = {
    _CODE.OK,
    _CODE.INVALID_ARGUMENT,
    _CODE.NOT_FOUND,
    _CODE.FAILED_PRECONDITION,
    _CODE.ABORTED,
    _CODE.OUT_OF_RANGE,
    _CODE.PERMISSION_DENIED,
    _CODE.RESOURCE_EXHAUSTED,
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = make_settings(tmp_path_factory.mktemp("fuzz"), requests_per_minute=1_000_000)
    with open_gateway(settings) as doors, running_worker(settings):
        yield doors


@pytest.mark.timeout(3600)
def test_no_message_makes_a_call_fail(
    gateway: Gateway, inputs: int, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    batch = gateway.start_batch("slow-0.mp4", "fail.mp4")
    ids = [batch["id"], *(job["id"] for job in batch["jobs"]), *(job["video_id"] for job in batch["jobs"])]
    seen: Counter[tuple[str, str]] = Counter()
    for number in range(inputs):
        chance = random.Random(f"{seed} {number}")  # nothing secret
        method = chance.choice(list(_SERVICE.methods))
        code, words = _call(gateway.channel, method, chance, tuple(map(str, ids)))
        late = code is _CODE.DEADLINE_EXCEEDED and method.server_streaming
        unknown = code is _CODE.UNAUTHENTICATED and method.name == "LogIn"
        assert code in _FINE or late or unknown, f"input {number} of seed {seed}: {method.name} gave {code}: {words}"
        seen[method.name, code.name] += 1
    failures = [record.getMessage() for record in caplog.records if record.exc_info and record.levelno >= logging.ERROR]
    assert failures == []
    assert gateway.http.get("/v1/jobs").status_code == 200
    _show(seen)


def _call(
    channel: grpc.Channel, method: MethodDescriptor, chance: random.Random, known: tuple[str, ...]
) -> tuple[grpc.StatusCode, str]:
    request, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    made: Any = getattr(channel, kind)(
        f"/{_SERVICE.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=answer.FromString,
    )
    many = [filled(request(), chance, known) for _ in range(chance.randint(0, 4))]
    given = iter(many) if method.client_streaming else filled(request(), chance, known)
    try:
        if method.server_streaming:
            answers = made(given, timeout=0.5)
            list(islice(answers, 3))
            answers.cancel()
        else:
            made(given, timeout=20)
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    return _CODE.OK, ""


def _show(seen: Counter[tuple[str, str]]) -> None:
    table = Table("call", "code", "times")
    for (name, code), times in sorted(seen.items()):
        table.add_row(name, code, str(times))
    Console(width=100).print(table)
