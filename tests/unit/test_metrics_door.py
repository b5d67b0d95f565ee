"""The door for Prometheus and probes."""

from __future__ import annotations

import threading
from socket import socket

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


def test_without_a_port_nothing_listens_and_a_taken_one_is_named() -> None:
    assert open_metrics_door("127.0.0.1", 0) == 0
    with socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ChorusError, match=f"127.0.0.1:{port}") as refusal:
            open_metrics_door("127.0.0.1", port)
    assert refusal.value.kind is ErrorKind.UNAVAILABLE
