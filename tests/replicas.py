"""More api processes beside that of a running stack, and a real proxy (Traefik) in front of them all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from services.local.ports import free_port
from services.parent_death import dying_with_us
from tests.running_stack import ROOT, RunningStack

STICKY_COOKIE = "chorus_replica"
_READY_SECONDS = 60

_ROUTES = """
http:
  routers:
    calls: {{rule: "PathPrefix(`/v1`)", service: spread, priority: 1000}}
    page: {{rule: "PathPrefix(`/`)", service: sticky, priority: 1}}
  services:
    spread:
      loadBalancer:
        servers: [{servers}]
        healthCheck: {{path: /readyz, interval: 500ms, timeout: 2s}}
    sticky:
      loadBalancer:
        sticky: {{cookie: {{name: {cookie}, httpOnly: true}}}}
        servers: [{servers}]
        healthCheck: {{path: /readyz, interval: 500ms, timeout: 2s}}
"""


@dataclass(frozen=True, slots=True)
class Replica:
    """An api process of its own on the state of a running stack."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def second_api(stack: RunningStack, folder: Path) -> Iterator[Replica]:
    """An api on the stack's database, store, preprocess and Triton, with ports and a scratch folder of its own."""
    (first,) = stack.processes("services.gateway")
    port = free_port()
    own = {
        "CHORUS_PORT": str(port),
        "CHORUS_GRPC_PORT": str(free_port()),
        "CHORUS_METRICS_PORT": "0",
        "CHORUS_SCRATCH": str(folder / "scratch"),
    }
    with (folder / "api.log").open("wb") as log:
        environment = {**first.environ(), **own}
        process = _start([sys.executable, "-m", "services.gateway"], environment=environment, log=log, cwd=ROOT)
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz", process, folder / "api.log")
        yield Replica(port, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


@contextmanager
def proxy(servers: Sequence[str], folder: Path) -> Iterator[str]:
    """The address of a proxy that gives /v1 to each server in turn; a visitor's page stays with its server."""
    port, routes = free_port(), folder / "routes.yaml"
    listed = ", ".join(f'{{url: "{each}"}}' for each in servers)
    routes.write_text(_ROUTES.format(servers=listed, cookie=STICKY_COOKIE))
    options = [
        f"--entrypoints.web.address=127.0.0.1:{port}",
        f"--providers.file.filename={routes}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]
    with (folder / "proxy.log").open("wb") as log:
        process = _start([str(Path(sys.prefix, "bin", "traefik")), *options], environment={}, log=log, cwd=folder)
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/healthz", process, folder / "proxy.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def started_at(metrics: str) -> str:
    """When the process began whose metrics these are: by it replicas are told apart."""
    return next(line for line in metrics.splitlines() if line.startswith("process_start_time_seconds"))


def _start(command: list[str], *, environment: dict[str, str], log: object, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        dying_with_us(command), env=environment, stdout=log, stderr=log, cwd=cwd
    )


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"not ready: {log.read_text()[-3000:]}")
