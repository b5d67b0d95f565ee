"""The api as the process that people run, page and both doors, on its own state; preprocess and Triton are away."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from services.local.ports import free_port
from tests.gateway_stack import ROOT, environment_of, make_settings, wait_until

_READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ApiProcess:
    """A running api."""

    process: subprocess.Popen[bytes]
    port: int
    grpc_port: int
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def rpc_address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def connect(self) -> socket.socket:
        """A connection to the REST door that has not said anything yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self) -> int:
        """Ask it to stop, and its exit code."""
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def running_api(folder: Path, *, descriptors: int | None = None, **changes: Any) -> Iterator[ApiProcess]:
    """A ready api, in `folder` also with its current folder; killed at the end if it still runs.

    `descriptors`: how many it may have open.
    """
    ports = {"port": free_port(), "grpc_port": free_port()}
    environment = environment_of(make_settings(folder, **ports, **changes)) | {"PYTHONPATH": str(ROOT)}
    log = folder / "api.log"
    with log.open("wb") as output:
        limited = [] if descriptors is None else ["prlimit", f"--nofile={descriptors}:{descriptors}"]
        command = [*limited, sys.executable, "-m", "services.gateway"]
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output)
    api = ApiProcess(process, ports["port"], ports["grpc_port"], log)
    try:
        wait_until(lambda: _answers(api), _READY_SECONDS)
        yield api
    finally:
        process.kill()
        process.wait(10)


def _answers(api: ApiProcess) -> bool:
    assert api.process.poll() is None, api.log.read_text()
    try:
        return httpx.get(f"{api.address}/healthz", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
