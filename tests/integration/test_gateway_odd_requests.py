"""Requests that no client of good will sends: refused in words, and no failure of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import grpc
import pytest

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from tests.gateway_stack import Gateway, make_settings, open_gateway
from tests.states import NewState


@pytest.fixture(scope="module")
def gateway(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path_factory.mktemp("odd"), **new_state())) as doors:
        yield doors


@pytest.mark.parametrize(
    ("boundary", "body", "words"),
    [
        ("b", b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n' * 20_000, "not a valid multipart form"),
        ("b", b"--b\r\n" + b"X-Long: " + b"y" * 1_000_000 + b"\r\n\r\n", "not a valid multipart form"),
        (
            "b",
            b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nv\r\n--b--\r\n',
            "no file in a field named file",
        ),
        ("b", b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nhalf', "was cut off"),
        ("b" * 257, b"", "no boundary"),
        ("", b"", "no boundary"),
    ],
)
def test_a_form_that_is_none_is_refused_in_words(gateway: Gateway, boundary: str, body: bytes, words: str) -> None:
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = gateway.http.post("/v1/media", headers=kind, content=body)
    assert (answer.status_code, words in answer.json()["error"]["message"]) == (422, True), answer.text
    assert list((gateway.settings.scratch / "uploads").iterdir()) == []


def test_the_rest_of_a_refused_body_is_no_request(gateway: Gateway) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    body = b"--b\r\n" + b"X-Long: " + b"y" * 1_000_000 + b"\r\n\r\n"
    for _ in range(50):
        assert gateway.http.post("/v1/media", headers=kind, content=body).status_code == 422
        assert gateway.http.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/jobs", {"name": "\0"}),
        ("/v1/jobs", {"batch": "a\0b"}),
        ("/v1/jobs", {"offset": str(1 << 70)}),
        ("/v1/batches/%00", {}),
        ("/v1/media/%00/content", {}),
        ("/v1/uploads/%00", {}),
        ("/v1/archive", {"job": "\0"}),
    ],
)
def test_what_a_database_cannot_keep_is_refused_and_no_failure_of_ours(
    gateway: Gateway, path: str, query: dict[str, str]
) -> None:
    answer = gateway.http.get(path, params=query)
    assert answer.status_code in (200, 404, 422), answer.text


def test_a_key_that_a_database_cannot_keep_is_refused(gateway: Gateway) -> None:
    audio, video = gateway.upload("speech.wav"), gateway.upload("nul.mp4")
    request = pb.CreateBatchRequest(audio_id=audio, video_ids=[video], idempotency_key="a\0b")
    try:
        made = GatewayServiceStub(gateway.channel).CreateBatch(request)
        gateway.http.post(f"/v1/batches/{made.id}/cancel")
        answer = grpc.StatusCode.OK  # SQLite keeps it
    except grpc.RpcError as error:
        answer = error.code()
    assert answer in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT)


def test_a_full_queue_says_when_to_come_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    audio, videos = gateway.upload("speech.wav"), [gateway.upload("slow-0.mp4")]
    batches = gateway.http.get("/v1/batches").json()["total"]
    monkeypatch.setattr(gateway.operations, "limits", replace(gateway.operations.limits, queued_jobs=0))
    answer = gateway.http.post("/v1/batches", json={"audio_id": audio, "video_ids": videos})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert (answer.json()["error"]["code"], answer.json()["error"]["retryable"]) == ("queue-full", True)
    with pytest.raises(grpc.RpcError) as refusal:
        GatewayServiceStub(gateway.channel).CreateBatch(pb.CreateBatchRequest(audio_id=audio, video_ids=videos))
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert gateway.http.get("/v1/batches").json()["total"] == batches
