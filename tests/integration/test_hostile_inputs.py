"""Inputs that nobody of good will sends: refused in words, over REST and gRPC alike, and no failure of ours."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from tests.gateway_stack import Gateway, make_settings, open_gateway

_LARGEST = (1 << 63) - 1
_NINES = "9" * 5000
_TUS = "Tus-Resumable: 1.0.0"
_JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path_factory.mktemp("hostile"))) as doors:
        yield doors


@pytest.fixture(scope="module")
def media_id(gateway: Gateway) -> str:
    return gateway.upload("five.mp4", b"12345")


@pytest.mark.parametrize(
    ("line", "headers", "body", "status"),
    [
        (f"GET /v1/jobs?offset={1 << 63}", [], b"", 422),
        ("GET /v1/jobs?since=0001-01-01", [], b"", 422),
        ("GET /v1/jobs?until=9999-12-31T23:59:59-23:59", [], b"", 422),
        ("GET /v1/jobs?name=%ED%A0%80", [], b"", 200),
        ("GET /v1/log?job=a%0d%0aX-Evil:%201", [], b"", 422),
        ("GET /v1/batches/a%0d%0ab/archive", [], b"", 422),
        ("GET /v1/jobs/" + "a" * 5000, [], b"", 422),
        ("GET /v1/jobs?" + "a=1&" * 20_000, [], b"", 400),
        ("GET /v1/jobs", ["Host: ["], b"", 403),
        ("GET /v1/jobs", ["Host: a]b", "Accept: text/html"], b"", 403),
        ("POST /readyz", ["Host: ["], b"", 405),
        ("POST /v1/jobs/x/cancel", ["Origin: http://["], b"", 403),
        ("POST /v1/jobs/x/cancel", ["Origin: http://a]"], b"", 403),
        ("GET /v1/media/MEDIA/content", [f"Range: bytes={_NINES}-"], b"", 416),
        ("GET /v1/media/MEDIA/content", [f"Range: bytes=-{_NINES}"], b"", 206),
        ("GET /v1/media/MEDIA/content", [f"Range: bytes=0-{_NINES}"], b"", 206),
        ("POST /v1/batches", [_JSON], rb'{"audio_id":"\ud800","video_ids":["a"]}', 422),
        ("POST /v1/batches", [_JSON], rb'{"audio_id":"a","video_ids":["a"],"faces":{"\ud800":1}}', 422),
        ("POST /v1/batches", [_JSON], rb'{"audio_id":"a","video_ids":["a"],"\ud800":1}', 422),
        ("POST /v1/batches", [_JSON], b"[" * 100_000, 400),
        ("POST /v1/jobs/delete", [_JSON], rb'{"ids":["\udfff"]}', 422),
        ("POST /v1/session", [_JSON], rb'{"name":"\ud800","password":"\ud800"}', 422),
        ("POST /v1/uploads", [_TUS, f"Upload-Length: {_NINES}"], b"", 422),
        ("PATCH /v1/uploads/x", [_TUS, f"Upload-Offset: {1 << 64}"], b"", 422),
        ("POST /v1/media", ["Content-Type: multipart/form-data; boundary=" + "b" * 257], b"x", 422),
        ("POST /login", ["Content-Type: multipart/form-data; boundary=" + "b" * 257], b"x", 400),
    ],
)
def test_rest_refuses_in_words(
    gateway: Gateway, media_id: str, line: str, headers: list[str], body: bytes, status: int
) -> None:
    answer = _ask(gateway, line.replace("MEDIA", media_id), headers, body)
    assert answer.status_code == status, answer.text
    assert "x-evil" not in answer.headers
    if status not in (200, 206, 416) and "Invalid HTTP" not in answer.text:
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "request_message"),
    [
        ("ListJobs", pb.ListJobsRequest(since_ms=_LARGEST)),
        ("ListJobs", pb.ListJobsRequest(until_ms=-_LARGEST)),
        ("ListJobs", pb.ListJobsRequest(offset=(1 << 32) - 1)),
        ("ListJobs", pb.ListJobsRequest(name="a" * 10_000_000)),
        ("ListJobs", pb.ListJobsRequest(batch_id="a" * 1000)),
        ("ListBatches", pb.ListBatchesRequest(limit=501)),
        ("ListMedia", pb.ListMediaRequest(offset=(1 << 32) - 1)),
        ("ListMedia", pb.ListMediaRequest(kind="odd")),
        ("ListMedia", pb.ListMediaRequest(owner="\0" * 1000)),
        ("GetJob", pb.GetJobRequest(job_id="\0")),
        ("WatchJob", pb.WatchJobRequest(job_id="x" * 3_000_000)),
        ("ReadLog", pb.ReadLogRequest(lines=10_001)),
        ("ReadLog", pb.ReadLogRequest(job_id="a\r\nb")),
        ("CreateUpload", pb.CreateUploadRequest(name="a" * 5_000_000 + ".mp4", length=4)),
        ("CreateUpload", pb.CreateUploadRequest(name="a.mp4", length=(1 << 64) - 1)),
        ("CreateBatch", pb.CreateBatchRequest(audio_id="a", video_ids=["x" * 1_000_000])),
        ("CreateBatch", pb.CreateBatchRequest(audio_id="a", video_ids=["b"], faces={"\n" * 100: 1})),
        (
            "CreateBatch",
            pb.CreateBatchRequest(audio_id="a", video_ids=["b"], options=pb.RenderOptions(expression=float("nan"))),
        ),
        ("DeleteJobs", pb.DeleteJobsRequest(job_ids=["x" * 10_000] * 500)),
        ("DownloadMedia", pb.DownloadMediaRequest(media_id="a", offset=(1 << 64) - 1)),
    ],
)
def test_grpc_keeps_the_limits_of_rest(gateway: Gateway, method: str, request_message: object) -> None:
    call = getattr(GatewayServiceStub(gateway.channel), method)
    with pytest.raises(grpc.RpcError) as refusal:
        list(call(request_message, timeout=10))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT, refusal.value.details()
    assert len(refusal.value.details() or "") < 1300


@pytest.mark.parametrize("content", [b"\x0a\x02\xff\xfe", b"\xff" * 50, b"\x0a\xff\xff\xff\xff\x0f"])
@pytest.mark.parametrize("method", ["GetJob", "WatchJob", "Upload"])
def test_what_is_no_message_is_refused_in_words(gateway: Gateway, method: str, content: bytes) -> None:
    call: Any = gateway.channel.stream_stream(f"/chorus.gateway.v1.GatewayService/{method}")
    with pytest.raises(grpc.RpcError) as refusal:
        list(call(iter([content]), timeout=10))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "DecodeError" not in (refusal.value.details() or "")


def test_a_flood_of_empty_parts_costs_next_to_nothing(gateway: Gateway) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'
    for path in ("/v1/media", "/login"):
        begun = time.process_time()
        with _connect(gateway) as connection:
            connection.settimeout(20)
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            connection.sendall(f"{head}Content-Length: 72000000\r\n\r\n".encode())
            sent = 0
            try:
                while sent < 20_000_000:
                    connection.sendall(part * 1000)
                    sent += len(part) * 1000
            except OSError:
                pass  # hung up on
        assert time.process_time() - begun < 4, path


def _connect(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.http.base_url.port or 0), timeout=10)


def _ask(gateway: Gateway, line: str, headers: list[str], body: bytes) -> httpx.Response:
    """A request as it is written here: a client library would mend it."""
    host = [] if any(each.startswith("Host:") for each in headers) else ["Host: 127.0.0.1"]
    head = "\r\n".join([f"{line} HTTP/1.1", *host, *headers, f"Content-Length: {len(body)}", "Connection: close"])
    with _connect(gateway) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode() + body)
        content = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    start, _, rest = content.partition(b"\r\n\r\n")
    status, *lines = start.decode("latin-1").split("\r\n")
    named = [(name, value.strip()) for name, _, value in (each.partition(":") for each in lines)]
    plain = [(name, value) for name, value in named if name.lower() not in ("transfer-encoding", "content-length")]
    return httpx.Response(int(status.split()[1]), headers=plain, content=_unchunked(named, rest))


def _unchunked(headers: list[tuple[str, str]], body: bytes) -> bytes:
    if ("transfer-encoding", "chunked") not in [(name.lower(), value) for name, value in headers]:
        return body
    found = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        found, body = found + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return found
