"""Clients that connect and say nothing, too much or too slowly, before any login: they keep nobody else out."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from services import grpc_requests
from services.crowd import Crowd
from services.gateway.access import connections, patience
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.local.ports import free_port
from tests.api_process import ApiProcess, running_api
from tests.fake_look import FakeLook
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until

TOKEN = "a token of this test"
BEARER = (("authorization", f"Bearer {TOKEN}"),)
_HOST = b"Host: 127.0.0.1\r\n"
_CROWD = 40


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = make_settings(tmp_path_factory.mktemp("locked"), token=SecretStr(TOKEN))
    with open_gateway(settings, Crowd(most=500, most_of_one=_CROWD)) as doors:
        yield doors


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /v1/jo",
        b"GET / HTTP/1.1\r\n" + _HOST,
        b"POST /v1/session HTTP/1.1\r\n" + _HOST + b"Content-Length: 100\r\n\r\n{",
        b"POST /login HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/media HTTP/1.1\r\n" + _HOST + b"Content-Length: 1000\r\n\r\n",
    ],
)
def test_who_stops_speaking_is_hung_up_on_and_keeps_nobody_out(
    locked: Gateway, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 1.0)
    monkeypatch.setattr(patience, "_BODY_SECONDS", 1.0)
    with ExitStack() as sockets:
        silent = [sockets.enter_context(_connect(locked)) for _ in range(_CROWD - 5)]
        for each in silent:
            each.sendall(begun)
        # Not the fixture's client: its connection may be one that is hung up on at this moment.
        session = {"name": "", "password": TOKEN}
        logged_in = httpx.post(f"{locked.http.base_url}/v1/session", json=session, trust_env=False, timeout=5)
        assert logged_in.status_code in (204, 429)  # each test logs in: the rate may be used up
        ended = time.monotonic() + 8
        for each in silent:
            _read_to_end(each)
        assert time.monotonic() < ended


def test_a_proxys_connection_outlives_the_time_for_a_head(locked: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.5)
    request = b"GET /healthz HTTP/1.1\r\n" + _HOST + b"\r\n"
    with _connect(locked) as connection:
        for _ in range(2):
            connection.sendall(request)
            assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
            time.sleep(0.7)
        connection.sendall(request[:10])
        ended = time.monotonic() + 5
        assert connection.recv(10_000) == b""
        assert time.monotonic() < ended


def test_in_a_crowd_no_connection_is_kept_for_long(locked: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_IDLE_SECONDS_IN_CROWD", 0.2)
    monkeypatch.setattr(Crowd, "is_half_full", lambda _crowd: True)
    with _connect(locked) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + _HOST + b"\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
        assert connection.recv(10_000) == b""


def test_one_address_has_its_share_of_connections(locked: Gateway) -> None:
    with ExitStack() as sockets:
        crowd = [sockets.enter_context(_connect(locked)) for _ in range(_CROWD + 10)]
        time.sleep(1)
        answered = select.select(crowd, [], [], 0)[0]
        refused = sum(each.recv(100).startswith(b"HTTP/1.1 503") for each in answered)
        # The client of the fixture may keep one of its own open.
        assert 10 <= refused <= 12
    assert wait_until(lambda: _reaches(locked))


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + _HOST + b"X: ", b"y" * 1_000_000, b"400"),
        (b"GET / HTTP/1.1\r\n" + _HOST, b"X: y\r\n" * 200_000, b"400"),
        (b"POST /v1/session HTTP/1.1\r\n" + _HOST + b"Content-Length: 2000000000\r\n\r\n", b"", b"413"),
        (b"POST /login HTTP/1.1\r\n" + _HOST + b"Content-Length: " + b"9" * 18 + b"\r\n\r\n", b"", b"413"),
        (
            b"POST /v1/session HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n\r\n",
            (b"10000\r\n" + b" " * 65536 + b"\r\n") * 32,
            b"413",
        ),
    ],
)
def test_heads_and_bodies_have_a_size(locked: Gateway, head: bytes, body: bytes, status: bytes) -> None:
    with _connect(locked) as connection:
        with suppress(OSError):
            connection.sendall(head + body)
        with suppress(OSError):
            answer = connection.recv(1000)
            assert answer.startswith(b"HTTP/1.1 " + status), answer[:100]


def test_slow_probes_keep_nothing_else_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_gateway(make_settings(tmp_path)) as doors:
        go_on = threading.Event()
        probe = FakeLook.probe
        monkeypatch.setattr(FakeLook, "probe", lambda *given, **named: go_on.wait(20) and probe(*given, **named))

        async def upload_all() -> list[int]:
            async with httpx.AsyncClient(base_url=doors.http.base_url, trust_env=False, timeout=40) as http:
                uploads = [
                    asyncio.create_task(http.post("/v1/media", params={"name": f"{number}.mp4"}, content=b"x"))
                    for number in range(80)
                ]
                await asyncio.sleep(2)
                begun = time.monotonic()
                assert (await http.get("/v1/jobs")).status_code == 200
                assert (await http.get("/readyz")).status_code == 200
                stub = GatewayServiceStub(doors.channel)
                await asyncio.to_thread(stub.ListJobs, pb.ListJobsRequest(), timeout=5)
                assert time.monotonic() - begun < 3
                go_on.set()
                return [(await each).status_code for each in uploads]

        assert asyncio.run(upload_all()) == [201] * 80


def test_watchers_without_a_token_keep_no_call_out(locked: Gateway) -> None:
    stub, health = GatewayServiceStub(locked.channel), health_pb2_grpc.HealthStub(locked.channel)
    with ExitStack() as calls:
        watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(400)]
        for each in watches:
            calls.callback(each.cancel)
        codes = []
        for each in watches:
            try:
                next(iter(each))
            except grpc.RpcError as error:
                codes.append(error.code())
        assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 150
        assert stub.GetQueue(pb.GetQueueRequest(), metadata=BEARER, timeout=10).counts["queued"] == 0
    assert wait_until(lambda: health.Check(health_pb2.HealthCheckRequest(), timeout=5).status == 1)


@pytest.mark.parametrize("method", ["/grpc.health.v1.Health/Watch", "/chorus.gateway.v1.GatewayService/GetJob"])
def test_a_call_without_its_message_ends(locked: Gateway, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_requests, "_FIRST_SECONDS", 0.5)
    silent = threading.Event()

    def never() -> Iterator[bytes]:
        silent.wait(20)
        yield from ()

    call: Any = locked.channel.stream_stream(method)
    with pytest.raises(grpc.RpcError) as refusal:
        list(call(never(), metadata=BEARER, timeout=10))
    silent.set()
    assert refusal.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "Nothing came" in (refusal.value.details() or "")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    folder = tmp_path_factory.mktemp("api")
    log = folder / "chorus.log"
    log.touch()
    with running_api(folder, token=SecretStr(TOKEN), drain_seconds=30, log_file=log) as process:
        yield process


def test_a_process_whose_connections_are_all_taken_is_still_alive(tmp_path: Path) -> None:
    door = free_port()
    with running_api(tmp_path, descriptors=400, metrics_port=door) as api, ExitStack() as sockets:
        # A quarter of 400, of which one address has half.
        for _ in range(60):
            sockets.enter_context(api.connect())

        def status(address: str) -> int:
            return httpx.get(f"{address}/healthz", timeout=10, trust_env=False).status_code

        # What restarts a process asks at the door that no crowd reaches.
        assert wait_until(lambda: status(api.address) == 503)
        assert [status(f"http://127.0.0.1:{door}") for _ in range(20)] == [200] * 20


def test_the_pages_socket_answers_its_own_origin_and_metrics_need_the_lock(api: ApiProcess) -> None:
    with httpx.Client(base_url=api.address, trust_env=False, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        polling = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
        foreign = http.get(polling, headers={"Origin": "https://evil.example"})
        assert (foreign.status_code, foreign.headers.get("access-control-allow-origin")) == (403, None)
        own = http.get(polling, headers={"Origin": api.address, "Sec-Fetch-Site": "same-origin"})
        assert (own.status_code, own.headers.get("access-control-allow-origin")) == (200, None)
        assert '"sid"' in own.text
        assert http.get("/metrics").status_code == 200
        assert httpx.get(f"{api.address}/metrics", trust_env=False).status_code == 401
        assert http.get("/", headers={"Accept": "text/html"}).status_code == 200
    # The page's framework would keep its files in the current folder.
    assert not (api.log.parent / ".nicegui").exists()


def test_a_stop_waits_for_no_watcher(api: ApiProcess) -> None:
    with grpc.insecure_channel(api.rpc_address) as channel:
        follower = GatewayServiceStub(channel).ReadLog(pb.ReadLogRequest(follow=True), metadata=BEARER)
        watcher = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(iter(watcher)).status == 1
        begun = time.monotonic()
        assert api.stop() == 0, api.log.read_text()
        assert time.monotonic() - begun < 10
        with pytest.raises(grpc.RpcError) as end:
            list(follower)
        assert end.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "stopping" in (end.value.details() or "")


def _connect(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.http.base_url.port or 0), timeout=10)


def _read_to_end(connection: socket.socket) -> None:
    with suppress(ConnectionError):
        while connection.recv(1 << 16):
            pass


def _reaches(gateway: Gateway) -> bool:
    try:
        return gateway.http.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False
