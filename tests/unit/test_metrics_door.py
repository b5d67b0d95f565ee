"""The door for Prometheus and probes."""

from __future__ import annotations

import select
import threading
import time
from contextlib import ExitStack, suppress
from socket import create_connection, socket

import httpx
import pytest

from services.errors import ChorusError, ErrorKind
from services.local.ports import free_port
from services.metrics_door import open_metrics_door


def test_metrics_and_probes_are_answered_and_nothing_else() -> None:
    ready = threading.Event()
    door = f"http://127.0.0.1:{open_metrics_door('127.0.0.1', free_port(), ready.is_set)}"

    def status(path: str) -> int:
        return httpx.get(door + path, trust_env=False).status_code

    assert [status(path) for path in ("/healthz", "/readyz", "/", "/metrics?x=1")] == [200, 503, 404, 200]
    assert "process_start_time_seconds" in httpx.get(door + "/metrics", trust_env=False).text
    ready.set()
    assert status("/readyz") == 200


def test_those_who_say_nothing_take_few_threads_and_leave_room_for_others() -> None:
    port, before = open_metrics_door("127.0.0.1", free_port()), threading.active_count()
    with ExitStack() as sockets:
        silent = [sockets.enter_context(create_connection(("127.0.0.1", port), timeout=10)) for _ in range(100)]
        # All but eight of one address are hung up on at once.
        held = list(silent)
        end = time.monotonic() + 10
        while len(held) > 8 and time.monotonic() < end:
            readable, _, _ = select.select(held, [], [], 1)
            held = [each for each in held if each not in readable]
        assert len(held) == 8
        assert threading.active_count() <= before + 9
        with socket() as other:
            other.settimeout(10)
            other.bind(("127.0.0.2", 0))
            other.connect(("127.0.0.1", port))
            other.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert b" 200 " in other.recv(1000)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("nobody gets in when they have left")


def test_without_a_port_nothing_listens_and_a_taken_one_is_named() -> None:
    assert open_metrics_door("127.0.0.1", 0) == 0
    with socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ChorusError, match=f"127.0.0.1:{port}") as refusal:
            open_metrics_door("127.0.0.1", port)
    assert refusal.value.kind is ErrorKind.UNAVAILABLE
