"""A real proxy (Traefik) before the api pods, for REST and for gRPC."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from services.local.ports import free_port
from services.parent_death import dying_with_us
from tests.contract.workloads import workloads


@dataclass(slots=True)
class Proxy:
    """Leads to the pods that it was last told of."""

    http: str
    """Address of REST"""
    grpc: str
    """host:port of gRPC"""
    _routes: Path
    _known: list[str] = field(default_factory=list)

    def lead_to(self, addresses: Sequence[str]) -> None:
        """From now on to these pods of the api."""
        if list(addresses) == self._known:
            return
        self._known = list(addresses)
        ports = next(each for each in workloads("cpu") if each.name == "api").ports
        services = {
            entry: {"loadBalancer": {"servers": [{"url": f"{scheme}://{each}:{ports[entry]}"} for each in addresses]}}
            for entry, scheme in (("http", "http"), ("grpc", "h2c"))
        }
        routers = {
            entry: {"entryPoints": [entry], "rule": "PathPrefix(`/`)", "service": entry} for entry in ("http", "grpc")
        }
        written = self._routes.with_suffix(".new")
        written.write_text(yaml.safe_dump({"http": {"routers": routers, "services": services}}))
        written.replace(self._routes)


@contextmanager
def running_proxy(folder: Path) -> Iterator[Proxy]:
    """A proxy that leads nowhere yet."""
    http, grpc = (f"127.0.0.1:{free_port()}" for _ in range(2))
    routes = folder / "routes" / "api.yaml"
    routes.parent.mkdir(parents=True)
    command = [
        str(Path(sys.prefix, "bin", "traefik")),
        f"--entrypoints.http.address={http}",
        f"--entrypoints.grpc.address={grpc}",
        # A proxy that gives up a large upload is none.
        "--entrypoints.http.transport.respondingTimeouts.readTimeout=0",
        f"--providers.file.directory={routes.parent}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(dying_with_us(command, signal.SIGKILL), env={}, stdout=log, stderr=log, cwd=folder)
    try:
        yield Proxy(f"http://{http}", grpc, routes)
    finally:
        process.kill()
        process.wait(10)
