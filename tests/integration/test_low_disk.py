"""Below the mark of free room nothing new is taken, through any door; what runs goes on, and what has arrived stays."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.telemetry import metrics_text
from tests.gateway_stack import Gateway, make_settings, open_gateway, running_worker

_TUS = {"Tus-Resumable": "1.0.0"}
_MORE_THAN_ANY_DISK = 1 << 60


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path_factory.mktemp("room"), least_free_bytes=0)) as doors:
        yield doors


@pytest.fixture(scope="module")
def full(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Another api process of the same installation, whose disk is too full."""
    own = {"scratch": tmp_path_factory.mktemp("full") / "scratch", "least_free_bytes": _MORE_THAN_ANY_DISK}
    with open_gateway(gateway.settings.model_copy(update=own)) as doors:
        yield doors


def test_no_door_takes_an_upload_or_a_batch(gateway: Gateway, full: Gateway) -> None:
    audio, video = gateway.upload("speech.wav"), gateway.upload("clip.mp4")
    batch = {"audio_id": audio, "video_ids": [video]}
    name = base64.b64encode(b"clip.mp4").decode()
    new = {**_TUS, "Upload-Length": "5", "Upload-Metadata": f"filename {name}"}
    cancelled = gateway.start_job("cancelled.mp4")
    gateway.http.post(f"/v1/jobs/{cancelled}/cancel")
    for answer in (
        full.http.post("/v1/media", params={"name": "clip.mp4"}, content=b"x" * 2_000_000),
        full.http.post("/v1/media", files={"file": ("clip.mp4", b"x" * 2_000_000)}),
        full.http.post("/v1/uploads", headers=new),
        full.http.post("/v1/batches", json=batch),
        full.http.post(f"/v1/jobs/{cancelled}/retry"),
    ):
        error = answer.json()["error"]
        assert (answer.status_code, error["kind"], error["code"]) == (507, "storage_full", "disk-low"), answer.url
        assert "Delete what is no longer needed" in error["message"]
    stub = GatewayServiceStub(full.channel)
    for call in (
        lambda: stub.Upload(iter([pb.UploadRequest(name="clip.mp4"), pb.UploadRequest(content=b"x")])),
        lambda: stub.CreateUpload(pb.CreateUploadRequest(name="clip.mp4", length=5)),
        lambda: stub.CreateBatch(pb.CreateBatchRequest(audio_id=audio, video_ids=[video])),
        lambda: stub.RetryJob(pb.RetryJobRequest(job_id=cancelled)),
    ):
        with pytest.raises(grpc.RpcError) as refusal:
            call()
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert b'"disk-low"' in _trailer(refusal.value)
    assert full.http.get("/readyz").status_code == 200
    assert list(full.settings.scratch.glob("uploads/*")) == []
    counted = metrics_text()[0].decode()
    for door in ("rest", "grpc"):
        assert f'chorus_refusals_total{{code="disk-low",door="{door}",kind="storage_full"}}' in counted


def test_the_same_batch_once_more_is_no_new_one(gateway: Gateway, full: Gateway) -> None:
    body = {"audio_id": gateway.upload("speech.wav"), "video_ids": [gateway.upload("clip.mp4")]}
    key = {"Idempotency-Key": "the same"}
    made = gateway.http.post("/v1/batches", json=body, headers=key)
    again = full.http.post("/v1/batches", json=body, headers=key)
    assert (again.status_code, again.json()["id"]) == (201, made.json()["id"])
    gateway.http.post(f"/v1/batches/{made.json()['id']}/cancel")


def test_an_upload_keeps_what_has_arrived_and_goes_on_when_there_is_room(gateway: Gateway, full: Gateway) -> None:
    new = {**_TUS, "Upload-Length": "10", "Upload-Metadata": f"filename {base64.b64encode(b'clip.mp4').decode()}"}
    place = gateway.http.post("/v1/uploads", headers=new).headers["location"]
    piece = {**_TUS, "Content-Type": "application/offset+octet-stream"}
    sent = gateway.http.patch(place, headers={**piece, "Upload-Offset": "0"}, content=b"first")
    assert sent.status_code == 204
    refused = full.http.patch(place, headers={**piece, "Upload-Offset": "5"}, content=b"other")
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "disk-low")
    stub, upload_id = GatewayServiceStub(full.channel), place.rpartition("/")[2]
    pieces = [
        pb.AppendUploadRequest(place=pb.UploadPlace(upload_id=upload_id, offset=5)),
        pb.AppendUploadRequest(content=b"other"),
    ]
    with pytest.raises(grpc.RpcError) as refusal:
        stub.AppendUpload(iter(pieces))
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert full.http.head(place, headers=_TUS).headers["upload-offset"] == "5"
    done = gateway.http.patch(place, headers={**piece, "Upload-Offset": "5"}, content=b"other")
    media = gateway.http.get(f"/v1/media/{done.headers['chorus-media-id']}/content")
    assert media.content == b"firstother"


def test_a_whole_upload_waits_for_room_to_become_a_media(gateway: Gateway, full: Gateway) -> None:
    stub = GatewayServiceStub(gateway.channel)
    upload = stub.CreateUpload(pb.CreateUploadRequest(name="clip.mp4", length=5))
    place = pb.UploadPlace(upload_id=upload.id, offset=0)
    stub.AppendUpload(iter([pb.AppendUploadRequest(place=place), pb.AppendUploadRequest(content=b"whole")]))
    refused = full.http.post(f"/v1/uploads/{upload.id}/media")
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "disk-low")
    assert gateway.http.post(f"/v1/uploads/{upload.id}/media").json()["bytes"] == 5


def test_what_was_taken_is_made_and_both_doors_say_how_it_stands(gateway: Gateway, full: Gateway) -> None:
    job_id = gateway.start_job("clip.mp4")
    with running_worker(full.settings.model_copy(update={"scratch": full.settings.scratch.with_name("worker")})):
        gateway.wait_for(job_id, "succeeded", seconds=60)
    for doors, low, least in ((gateway, False, 0), (full, True, _MORE_THAN_ANY_DISK)):
        assert doors.http.get("/v1/disk").json()["low"] is low
        assert doors.http.get("/v1/limits").json()["least_free_bytes"] == least
        stub = GatewayServiceStub(doors.channel)
        assert stub.GetDiskUse(pb.GetDiskUseRequest()).low is low
        assert stub.GetLimits(pb.GetLimitsRequest()).least_free_bytes == least


def _trailer(error: Any) -> bytes:
    """What Chorus itself says of an error."""
    return bytes(dict(error.trailing_metadata())["chorus-error-bin"])
