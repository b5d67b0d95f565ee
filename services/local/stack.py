"""The processes of Chorus on one machine, and `run_stack`: all of them, from the lock to the last one's end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from secrets import token_urlsafe
from threading import Event
from urllib.error import HTTPError
from urllib.request import BaseHandler, HTTPSHandler, ProxyHandler, build_opener

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.errors import ChorusError, ErrorKind
from services.grpc_client import open_channel
from services.local.child import Service
from services.local.gpus import find_gpus
from services.local.log_file import LogFile
from services.local.ports import free_port, is_free
from services.local.run_file import RunningStack, hold_lock, publish
from services.local.settings import Folders, LocalSettings
from services.local.supervisor import Supervisor
from services.local.triton_runtime import find_runtime
from services.local.triton_server import Acceleration, triton_service
from services.tls.identity import local_context
from services.triton import TritonClient

_PROBE_SECONDS = 3.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the processes listen; all but `page` and `grpc` are for this machine's eyes only."""

    page: int
    grpc: int
    preprocess: int
    triton: int
    triton_metrics: int
    api_metrics: int
    worker_metrics: int
    preprocess_metrics: int


def run_stack(settings: LocalSettings, stop: Event, report: Callable[[str], None]) -> None:
    """Start everything, say where the page is, heal what dies, and return after `stop` with nothing left running.

    Raises ChorusError when another stack owns the state, a part is missing, or a process does not start.
    """
    folders = settings.folders
    folders.make()
    with hold_lock(folders):
        log = LogFile(folders.log_file)
        ports = choose_ports(settings)
        settings = _with_token(settings)
        services = services_of(settings, folders, ports)
        supervisor = Supervisor(services, log, report, hang_seconds=settings.hang_seconds)
        try:
            supervisor.start(stop)
            if not stop.is_set():
                page = _page(settings, ports)
                metrics = metrics_of(settings, ports)
                triton = settings.triton_url or f"127.0.0.1:{ports.triton}"
                running = RunningStack(
                    os.getpid(),
                    page,
                    settings.token,
                    _certificate(settings),
                    metrics,
                    triton=triton,
                    preprocess=f"127.0.0.1:{ports.preprocess}",
                )
                with publish(folders, running) as show:
                    report(f"Chorus is ready: {page}   (Ctrl-C stops it)")
                    if settings.host not in _LOOPBACK:
                        report(f"Listening on {settings.host}: whoever reaches it needs a login or the token")
                    supervisor.watch(stop, show)
        finally:
            supervisor.stop()
            log.close()


def _with_token(settings: LocalSettings) -> LocalSettings:
    """With users nobody comes in without a login or a token: `chorus run` gets one."""
    if settings.token or not settings.has_users:
        return settings
    return settings.model_copy(update={"token": token_urlsafe()})


def choose_ports(settings: LocalSettings) -> Ports:
    """The page's port as asked for, CONFLICT when it is taken; the others next to it where they are free."""
    if settings.port and not is_free(settings.port, settings.host):
        raise ChorusError(ErrorKind.CONFLICT, "port-taken", port=settings.port)
    page = settings.port or free_port()
    ports = [page]
    while len(ports) < len(Ports.__slots__):
        port = free_port(page + len(ports) if page + len(ports) < 1 << 16 else 0)
        if port not in ports:
            ports.append(port)
    return Ports(*ports)


def services_of(settings: LocalSettings, folders: Folders, ports: Ports) -> list[list[Service]]:
    """The services in two tiers: those that answer calls, and the gateway, which makes them."""
    if not settings.models:
        raise ChorusError(ErrorKind.UNAVAILABLE, "no-models", folder=str(settings.model_repository))
    triton_address = settings.triton_url or f"127.0.0.1:{ports.triton}"
    common = {
        "CHORUS_TRITON_URL": triton_address,
        "CHORUS_STORE_URL": settings.store,
        "CHORUS_PREPROCESS_ADDRESS": f"127.0.0.1:{ports.preprocess}",
        "CHORUS_HOST": settings.host,
        "CHORUS_PORT": str(ports.page),
        "CHORUS_GRPC_PORT": str(ports.grpc),
        "CHORUS_DATABASE_URL": settings.own_database_url,
        "CHORUS_FAMILIES": str(settings.family_folder),
        "CHORUS_LOG_FILE": str(folders.log_file),
        "CHORUS_LOG_FORM": "json",
        "PYTHONUNBUFFERED": "1",
        "CHORUS_TLS_PREPROCESS_CA": "",
    }
    if not settings.triton_url:
        common |= {"CHORUS_TLS_TRITON_CA": "", "CHORUS_ENGINES": str(folders.engines)}
    if settings.has_users:
        common["CHORUS_USERS"] = str(settings.users_file)
    if settings.token:
        common["CHORUS_TOKEN"] = settings.token
    preprocess = _preprocess(common, folders.scratch / "preprocess", ports)
    gateway = [
        _worker(common, folders.scratch / "worker", ports),
        _api(common, folders.scratch / "api", settings, ports),
    ]
    return [[*_triton(settings, folders, ports), preprocess], gateway]


def metrics_of(settings: LocalSettings, ports: Ports) -> dict[str, str]:
    """host:port of each process's /metrics; another machine's Triton says by itself where it has its own."""
    found = {
        "chorus-api": f"127.0.0.1:{ports.api_metrics}",
        "chorus-worker": f"127.0.0.1:{ports.worker_metrics}",
        "chorus-preprocess": f"127.0.0.1:{ports.preprocess_metrics}",
    }
    return found if settings.triton_url else {**found, "chorus-triton": f"127.0.0.1:{ports.triton_metrics}"}


def _triton(settings: LocalSettings, folders: Folders, ports: Ports) -> Sequence[Service]:
    if settings.triton_url:
        _check_external_triton(settings)
        return ()
    return (
        triton_service(
            find_runtime(settings.triton_runtime),
            settings.model_repository,
            settings.models,
            folders.scratch,
            families=settings.family_folder,
            engines=folders.engines,
            port=ports.triton,
            metrics_port=ports.triton_metrics,
            acceleration=acceleration_of(settings, folders),
        ),
    )


def acceleration_of(settings: LocalSettings, folders: Folders) -> Acceleration:
    """What may compute the models; UNAVAILABLE when what is asked for by name needs a GPU, and there is none."""
    gpus = () if settings.model_engine == "cpu" else find_gpus()
    if settings.model_engine in ("cuda", "tensorrt") and not gpus:
        raise ChorusError(ErrorKind.UNAVAILABLE, "engine-no-gpu", engine=settings.model_engine)
    return Acceleration(settings.model_engine, gpus, folders.plans, settings.library_path)


def _check_external_triton(settings: LocalSettings) -> None:
    client = TritonClient(settings.triton_url, tls=settings.triton_tls)
    try:
        if not client.ready(settings.models):
            raise ChorusError(
                ErrorKind.UNAVAILABLE,
                "triton-unusable",
                address=settings.triton_url,
                models=", ".join(settings.models),
            )
    finally:
        client.close()


def _preprocess(common: dict[str, str], scratch: Path, ports: Ports) -> Service:
    address = common["CHORUS_PREPROCESS_ADDRESS"]
    own = {
        "CHORUS_PREPROCESS_LISTEN": address,
        "CHORUS_SCRATCH": str(scratch),
        "CHORUS_METRICS_PORT": str(ports.preprocess_metrics),
        "CHORUS_TLS_CERTIFICATE": "",
        "CHORUS_TLS_KEY": "",
        "CHORUS_TLS_CLIENT_CA": "",
    }
    return Service(
        name="preprocess",
        command=(sys.executable, "-m", "services.preprocess"),
        environment=common | own,
        address=address,
        is_ready=lambda: _is_serving(address),
        answers=lambda: _is_serving(address),
    )


def _worker(common: dict[str, str], scratch: Path, ports: Ports) -> Service:
    own = {"CHORUS_SCRATCH": str(scratch), "CHORUS_METRICS_PORT": str(ports.worker_metrics)}
    door = f"http://127.0.0.1:{ports.worker_metrics}"
    return Service(
        name="worker",
        command=(sys.executable, "-m", "services.worker"),
        environment=common | own,
        is_ready=lambda: _answers(f"{door}/readyz"),
        answers=lambda: _answers(f"{door}/healthz"),
    )


def _api(common: dict[str, str], scratch: Path, settings: LocalSettings, ports: Ports) -> Service:
    page = _page(settings, ports)
    return Service(
        name="api",
        command=(sys.executable, "-m", "services.gateway"),
        environment=common | {"CHORUS_SCRATCH": str(scratch), "CHORUS_METRICS_PORT": str(ports.api_metrics)},
        address=f"{_reachable(settings.host)}:{ports.page} (gRPC {ports.grpc})",
        is_ready=lambda: _answers(f"{page}/readyz", settings.tls_certificate),
        # Not of the page's door, which refuses everybody while a crowd has all of its connections.
        answers=lambda: _answers(f"http://127.0.0.1:{ports.api_metrics}/healthz"),
    )


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  # compared, not bound


def _certificate(settings: LocalSettings) -> str:
    return "" if settings.tls_certificate is None else str(settings.tls_certificate.absolute())


def _page(settings: LocalSettings, ports: Ports) -> str:
    return f"{'https' if settings.tls_certificate else 'http'}://{_reachable(settings.host)}:{ports.page}"


def _answers(url: str, certificate: Path | None = None) -> bool:
    # No proxy: these are processes of this machine.
    handlers: list[BaseHandler] = [ProxyHandler({})]
    try:
        if certificate is not None:
            handlers.append(HTTPSHandler(context=local_context(certificate)))
        with build_opener(*handlers).open(url, timeout=_PROBE_SECONDS) as response:
            return bool(response.status == 200)
    except HTTPError as error:
        # Too many connections: who says when to come again works, and a crowd must not have it restarted.
        return error.headers.get("Retry-After") is not None
    except (OSError, HTTPException):
        return False


def _is_serving(address: str) -> bool:
    with open_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=_PROBE_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
