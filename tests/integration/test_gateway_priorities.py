"""Batches that are more or less urgent than others, through each door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.jobs.engine import names
from tests.gateway_stack import Gateway, make_settings, open_gateway
from tests.states import NewState


@pytest.fixture
def gateway(new_state: NewState, tmp_path: Path) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path, **new_state())) as doors:
        yield doors


def test_high_gets_two_jobs_for_one_of_normal_through_rest_and_grpc(gateway: Gateway) -> None:
    stub, audio, video = GatewayServiceStub(gateway.channel), gateway.upload("speech.wav"), gateway.upload("clip.mp4")
    made = {}
    for priority in ("low", "normal"):
        body = {"audio_id": audio, "video_ids": [video] * 8, "priority": priority}
        made[priority] = gateway.http.post("/v1/batches", json=body).json()
    high = stub.CreateBatch(pb.CreateBatchRequest(audio_id=audio, video_ids=[video] * 8, priority="high"))
    assert (made["low"]["priority"], made["normal"]["priority"], high.priority) == ("low", "normal", "high")
    assert stub.GetBatch(pb.GetBatchRequest(batch_id=made["low"]["id"])).priority == "low"
    first = [job_id.split(".")[0] for job_id in order_of(gateway)[:14]]
    assert [first.count(each) for each in (high.id, made["normal"]["id"], made["low"]["id"])] == [8, 4, 2]


def order_of(gateway: Gateway) -> list[str]:
    """In which DBOS takes the jobs that wait."""
    status = names.status_table(gateway.database)
    waiting = sa.select(status.c.workflow_uuid).where(names.is_waiting(status))
    with gateway.database.connect() as connection:
        return list(connection.execute(waiting.order_by(status.c.priority, sa.column("created_at"))).scalars())


def test_no_other_priority_is_taken(gateway: Gateway) -> None:
    audio, video = gateway.upload("speech.wav"), gateway.upload("clip.mp4")
    body = {"audio_id": audio, "video_ids": [video], "priority": "urgent"}
    assert gateway.http.post("/v1/batches", json=body).status_code == 422
    with pytest.raises(grpc.RpcError, match="no priority urgent; choose one of low, normal, high") as refusal:
        GatewayServiceStub(gateway.channel).CreateBatch(
            pb.CreateBatchRequest(audio_id=audio, video_ids=[video], priority="urgent")
        )
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    key = {"Idempotency-Key": "once"}
    made = [
        gateway.http.post("/v1/batches", json={**body, "priority": each}, headers=key)
        for each in ("low", "low", "high")
    ]
    assert [answer.status_code for answer in made] == [201, 201, 409]
