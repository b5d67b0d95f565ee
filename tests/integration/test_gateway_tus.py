"""Uploads that break off and go on, by tus 1.0 over real sockets and by gRPC."""

from __future__ import annotations

import base64
import hashlib
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from services.gateway.operations import receiving as receiving_module
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.jobs import moments, tables
from services.library import resumable as resumable_module
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until
from tests.states import NewState

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def gateway(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path_factory.mktemp("tus"), **new_state(), max_minutes=2900)) as doors:
        yield doors


def create(gateway: Gateway, name: str, length: int) -> httpx.Response:
    metadata = f"filename {base64.b64encode(name.encode()).decode()},filetype dmlkZW8="
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}
    return gateway.http.post("/v1/uploads", headers=headers)


def send(gateway: Gateway, address: str, offset: int, content: bytes) -> httpx.Response:
    return gateway.http.patch(address, headers={**PIECE, "Upload-Offset": str(offset)}, content=content)


def offset_of(gateway: Gateway, address: str) -> int:
    return int(gateway.http.head(address, headers=TUS).headers["upload-offset"])


def partial_files(gateway: Gateway) -> list[str]:
    return [key for folder in ("parts", "incoming") for key in gateway.storage.keys(folder)]


def test_a_file_in_pieces_becomes_media(gateway: Gateway) -> None:
    created = create(gateway, "../多人.mp4", 2000)
    address = created.headers["location"]
    assert created.status_code == 201
    assert address.startswith("/v1/uploads/")
    assert send(gateway, address, 0, b"a" * 1500).headers["upload-offset"] == "1500"
    state = gateway.http.get(address).json()
    assert (state["name"], state["offset"], state["length"], state["media_id"]) == ("多人.mp4", 1500, 2000, None)
    early = gateway.http.post(f"{address}/media")
    assert (early.status_code, "500 bytes of 多人.mp4 are missing" in early.text) == (409, True)
    last = send(gateway, address, 1500, b"b" * 500)
    media = gateway.http.get(f"/v1/media/{last.headers['chorus-media-id']}").json()
    assert (last.status_code, media["name"], media["bytes"]) == (204, "多人.mp4", 2000)
    assert gateway.http.get(f"/v1/media/{media['id']}/content").content == b"a" * 1500 + b"b" * 500
    assert gateway.http.post(f"{address}/media").json()["id"] == media["id"]
    assert offset_of(gateway, address) == 2000
    assert partial_files(gateway) == []


def test_what_is_refused_at_the_beginning(gateway: Gateway) -> None:
    for name, length, status, words in (
        ("big.mp4", gateway.settings.max_upload_bytes + 1, 413, "larger than the limit"),
        ("notes.pdf", 10, 422, "choose one of wav, mp3"),
        ("none", 10, 422, "none is of no kind"),
        ("empty.mp4", 0, 422, "empty.mp4 is empty"),
    ):
        answer = create(gateway, name, length)
        assert (answer.status_code, words in answer.json()["error"]["message"]) == (status, True), answer.text
    assert gateway.http.post("/v1/uploads", headers={"Upload-Length": "1"}).status_code == 412
    assert gateway.http.post("/v1/uploads", headers={**TUS, "Upload-Length": "-1"}).status_code == 422
    odd = gateway.http.post("/v1/uploads", headers={**TUS, "Upload-Length": "1", "Upload-Metadata": "filename @"})
    assert odd.status_code == 422
    assert partial_files(gateway) == []
    described = gateway.http.options("/v1/uploads").headers
    assert described["tus-extension"] == "creation,expiration,termination"
    assert described["tus-max-size"] == str(gateway.settings.max_upload_bytes)


def test_pieces_must_follow_each_other(gateway: Gateway) -> None:
    address = create(gateway, "clip.mp4", 100).headers["location"]
    assert send(gateway, address, 10, b"x").status_code == 409
    assert send(gateway, address, 0, b"x" * 101).status_code == 413
    assert offset_of(gateway, address) == 0
    assert gateway.http.patch(address, headers={**TUS, "Upload-Offset": "0"}, content=b"x").status_code == 415
    assert send(gateway, "/v1/uploads/" + "0" * 32, 0, b"x").status_code == 404
    assert gateway.http.head("/v1/uploads/..%2f..%2fchorus.db", headers=TUS).status_code == 404
    assert gateway.http.delete(address, headers=TUS).status_code == 204
    assert gateway.http.head(address, headers=TUS).status_code == 404
    assert partial_files(gateway) == []


def test_a_file_that_cannot_be_used_is_refused_in_words_and_gone(gateway: Gateway) -> None:
    size = 2_950_000  # 2950 minutes for the fake probe
    address = create(gateway, "long.wav", size).headers["location"]
    refused = send(gateway, address, 0, bytes(size))
    assert (refused.status_code, refused.json()["error"]["message"][:11]) == (422, "long.wav is")
    assert gateway.http.head(address, headers=TUS).status_code == 404
    assert partial_files(gateway) == []


def half_sent(gateway: Gateway, address: str, length: int, content: bytes) -> socket.socket:
    """A connection on which a piece of `length` bytes has begun and got stuck."""
    host, port = gateway.http.base_url.host, gateway.http.base_url.port
    connection = socket.create_connection((host, port or 0))
    head = (
        f"PATCH {address} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nUpload-Offset: 0\r\n"
        "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n\r\n"
    )
    connection.sendall(head.encode() + content)
    return connection


def go_on(gateway: Gateway, address: str, length: int) -> int:
    """Finish an upload as a browser does: ask where it stopped, send the rest, ask again; where it first went on."""
    first = offset_of(gateway, address)
    end = time.monotonic() + 5
    while send(gateway, address, (offset := offset_of(gateway, address)), bytes(length - offset)).is_error:
        assert time.monotonic() < end
    return first


def test_an_upload_that_was_cut_goes_on_where_it_stopped(gateway: Gateway) -> None:
    address = create(gateway, "cut.mp4", 2_500_000).headers["location"]
    half_sent(gateway, address, 2_500_000, bytes(1_300_000)).close()
    # The last of what a dead connection brought may be lost, but no more than the server's buffer.
    wait_until(lambda: offset_of(gateway, address) > 1_200_000)
    assert go_on(gateway, address, 2_500_000) > 1_200_000
    assert gateway.http.get(address).json()["media_id"]


def test_a_newer_request_takes_over_from_one_that_hangs(gateway: Gateway) -> None:
    address = create(gateway, "stuck.mp4", 2_500_000).headers["location"]
    with half_sent(gateway, address, 2_500_000, bytes(1_200_000)) as stuck:
        wait_until(lambda: offset_of(gateway, address) > 1_000_000)
        go_on(gateway, address, 2_500_000)
        assert b" 409 " in stuck.recv(100)
    assert gateway.http.get(address).json()["media_id"]


def test_a_silent_connection_is_given_up(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving_module, "_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(receiving_module, "_SILENCE_SECONDS", 0.2)
    address = create(gateway, "silent.mp4", 1000).headers["location"]
    with half_sent(gateway, address, 1000, b"x" * 10) as silent:
        assert b" 504 " in silent.recv(100)
    assert offset_of(gateway, address) == 10


def test_unfinished_uploads_are_counted_and_expire(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable_module, "_MOST_UNFINISHED", 8)
    answers = [create(gateway, "many.mp4", 10).status_code for _ in range(12)]
    assert answers[-1] == 429
    assert answers.count(201) >= 4
    with tables.transaction(gateway.database) as connection:
        connection.execute(tables.uploads.update().values(expires_ms=moments.now_ms() - 1))
    gateway.operations.uploads.sweep()
    assert partial_files(gateway) == []
    assert create(gateway, "again.mp4", 10).status_code == 201


def test_300_megabytes_do_not_go_through_memory(tmp_path: Path) -> None:
    size = 300_000_000
    with open_gateway(make_settings(tmp_path, max_upload_bytes=size, max_minutes=1e9)) as doors:
        go_on(doors, create(doors, "small.mp4", 1000).headers["location"], 1000)
        address = create(doors, "big.mp4", size).headers["location"]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        headers = {**PIECE, "Upload-Offset": "0", "Content-Length": str(size)}
        piece = bytes(1_000_000)
        last = doors.http.patch(address, headers=headers, content=(piece for _ in range(size // len(piece))))
        assert last.headers["chorus-media-id"]
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


def append(stub: GatewayServiceStub, upload_id: str, offset: int, *contents: bytes) -> pb.ResumableUpload:
    place = pb.UploadPlace(upload_id=upload_id, offset=offset)
    pieces = (pb.AppendUploadRequest(content=content) for content in contents)
    return stub.AppendUpload(iter([pb.AppendUploadRequest(place=place), *pieces]))


def test_a_grpc_upload_goes_on_where_it_stopped(gateway: Gateway) -> None:
    stub = GatewayServiceStub(gateway.channel)
    upload = stub.CreateUpload(pb.CreateUploadRequest(name="../多人.mp4", length=7))
    assert (upload.name, upload.offset, upload.length, upload.HasField("media_id")) == ("多人.mp4", 0, 7, False)
    assert append(stub, upload.id, 0, b"ab", b"cd").offset == 4
    assert stub.GetUpload(pb.GetUploadRequest(upload_id=upload.id)).offset == 4
    place = pb.AppendUploadRequest(place=pb.UploadPlace(upload_id=upload.id, offset=4))
    for call, status in (
        (lambda: append(stub, upload.id, 3, b"x"), grpc.StatusCode.ABORTED),
        (lambda: append(stub, upload.id, 4, b"efgh"), grpc.StatusCode.OUT_OF_RANGE),
        (lambda: stub.AppendUpload(iter([])), grpc.StatusCode.INVALID_ARGUMENT),
        (lambda: stub.AppendUpload(iter([place, place])), grpc.StatusCode.INVALID_ARGUMENT),
        (lambda: stub.FinishUpload(pb.FinishUploadRequest(upload_id=upload.id)), grpc.StatusCode.ABORTED),
        (lambda: append(stub, "0" * 32, 0, b"x"), grpc.StatusCode.NOT_FOUND),
    ):
        with pytest.raises(grpc.RpcError) as refusal:
            call()
        assert refusal.value.code() is status
    assert append(stub, upload.id, 4, b"efg").offset == 7
    media = stub.FinishUpload(pb.FinishUploadRequest(upload_id=upload.id))
    assert media.sha256 == hashlib.sha256(b"abcdefg").hexdigest()
    assert stub.FinishUpload(pb.FinishUploadRequest(upload_id=upload.id)) == media
    assert stub.GetUpload(pb.GetUploadRequest(upload_id=upload.id)).media_id == media.id
    stub.DeleteUpload(pb.DeleteUploadRequest(upload_id=upload.id))
    with pytest.raises(grpc.RpcError, match="no upload"):
        stub.GetUpload(pb.GetUploadRequest(upload_id=upload.id))
    assert list(gateway.storage.keys("parts")) == []
