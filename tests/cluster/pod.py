"""One pod of the rendered manifests as a process, with the environment, probes and times that they give it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.parent_death import dying_with_us
from tests.contract.workloads import Workload

ROOT: Final = Path(__file__).resolve().parents[2]


class Pod:
    """A process with an address of loopback of its own, so that all pods listen on the ports of the manifests."""

    def __init__(
        self,
        workload: Workload,
        address: str,
        folder: Path,
        command: list[str],
        environment: Mapping[str, str],
        clear: Callable[[], None] = lambda: None,
    ) -> None:
        """`folder` is its scratch; `environment` is all that it has; `clear` is called before each start."""
        self.workload, self.address = workload, address
        self.is_leaving = False
        self.was_ready = False
        self.starts = 0
        self._folder, self._command, self._environment, self._clear = folder, command, environment, clear
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it has written, all its starts."""
        return self._folder.with_suffix(".log")

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """True once its process is gone."""
        return self._process is None or self._process.poll() is not None

    def start(self) -> None:
        """Start its process, as a kubelet does at first and when it has ended."""
        self._clear()
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                dying_with_us(self._command, signal.SIGKILL),
                env=dict(self._environment),
                cwd=ROOT,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.starts += 1

    def is_ready(self) -> bool:
        """What its readiness probe says."""
        if self.has_ended or self.is_leaving:
            return False
        probe = self.workload.container["readinessProbe"]
        seconds = probe["timeoutSeconds"]
        if "grpc" in probe:
            return _serves(f"{self.address}:{probe['grpc']['port']}", seconds)
        port = self.workload.ports[probe["httpGet"]["port"]]
        with suppress(httpx.HTTPError):
            url = f"http://{self.address}:{port}{probe['httpGet']['path']}"
            return httpx.get(url, timeout=seconds, trust_env=False).status_code == 200
        return False

    def kill(self) -> None:
        """As a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def leave(self) -> float:
        """End as a pod does that is out of the endpoints: the hook, SIGTERM, SIGKILL after its grace; the seconds."""
        assert self._process is not None
        begun, self.is_leaving = time.monotonic(), True
        hook = self.workload.container.get("lifecycle", {}).get("preStop")
        time.sleep(hook["sleep"]["seconds"] if hook else 0)
        self._process.send_signal(signal.SIGTERM)
        try:
            left = self.workload.pod["terminationGracePeriodSeconds"] - (time.monotonic() - begun)
            self._process.wait(left)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.workload.name} had to be killed") from None
        return time.monotonic() - begun


def module_command(workload: Workload) -> list[str]:
    """The command of a container of ours, with this machine's Python."""
    program, *rest = workload.container["command"]
    assert program == "python"
    return [sys.executable, *rest]


def local_environment(
    workload: Workload, address: str, scratch: Path, *, names: Callable[[str, int], str], given: Mapping[str, str]
) -> dict[str, str]:
    """The environment of the manifests, where only what names a place of the cluster is one of this machine.

    `names` makes the target that finds a Service here; `given` takes the place of what a company fills in.
    """
    here: dict[str, str] = {}
    for name, value in workload.variables.items():
        if value.startswith("dns:///"):
            service, _, port = value.removeprefix("dns:///").partition(":")
            value = names(service, int(port))
        here[name] = value.replace("0.0.0.0", address).replace("/scratch", str(scratch))
    assert given.keys() <= here.keys() | {"AWS_ALLOW_HTTP"}, "it takes the place of nothing"
    of_image = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(scratch), "TMPDIR": str(scratch)}
    return {**here, **given, **of_image}


def _serves(address: str, seconds: float) -> bool:
    with grpc.insecure_channel(address) as channel, suppress(grpc.RpcError):
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=seconds)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
    return False
