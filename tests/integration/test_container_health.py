"""The health check of the images, against real servers that serve, refuse, hang or are not there."""

from __future__ import annotations

import socket
import subprocess
import sys

from scripts.images.dockerfile import FOLDER
from services.grpc_server import Server, build_server
from services.local.ports import free_port
from services.metrics_door import open_metrics_door
from tests.rpc_loop import running_server


def health(address: str) -> int:
    """The exit code of one check."""
    command = [sys.executable, str(FOLDER / "health.py"), address]
    return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=20, check=False).returncode


def test_a_process_that_serves_http_is_healthy_and_one_that_refuses_is_not() -> None:
    ready = open_metrics_door("127.0.0.1", free_port())
    refusing = open_metrics_door("127.0.0.1", free_port(), lambda: False)
    assert health(f"http://127.0.0.1:{ready}/readyz") == 0
    assert health(f"http://127.0.0.1:{refusing}/readyz") == 1


def test_a_process_that_serves_grpc_is_healthy_until_it_stops() -> None:
    made: list[Server] = []

    async def build() -> Server:
        made.append(await build_server())
        return made[0]

    with running_server(build) as port:
        assert health(f"grpc://127.0.0.1:{port}") == 0
        made[0].health.stop()
        assert health(f"grpc://127.0.0.1:{port}") == 1


def test_nobody_there_and_nobody_answering_are_not_healthy() -> None:
    assert health(f"http://127.0.0.1:{free_port()}/readyz") == 1
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert health(f"http://{address}/readyz") == 1
        assert health(f"grpc://{address}") == 1
