"""A gateway for tests: the doors in this process, a real worker in another, and a render child that only pretends.

`python tests/gateway_stack.py` is that worker; its settings are the usual CHORUS_* variables.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import sqlalchemy as sa
import uvicorn

from services import grpc_client, telemetry
from services.crowd import Crowd
from services.gateway.__main__ import build_operations
from services.gateway.access.connections import open_crowd, protocol_of
from services.gateway.access.lock import build_gate, check_lock
from services.gateway.access.sessions import SessionWatch
from services.gateway.operations.batches import Operations
from services.gateway.operations.counts import CountExchange, ExactCounts, SharedCounts
from services.gateway.operations.session_rows import SessionRows
from services.gateway.rest.app import build_app
from services.gateway.rpc.servicer import build_rpc_server
from services.gateway.settings import GatewaySettings
from services.gateway.web.login import router as login
from services.gateway.web.login_elsewhere import router as login_elsewhere
from services.jobs.engine.runner import RenderSettings
from services.storage import Storage
from services.worker.__main__ import run as run_worker
from services.worker.settings import WorkerSettings
from tests.fake_look import FakeLook
from tests.rpc_loop import running_server

ROOT = Path(__file__).resolve().parents[1]
_READY = "is ready"
# Settings whose variable does not hold what str() makes of them.
_OF_ANOTHER_FORM = {"token", "allowed_hosts", "oidc_roles", "oidc_client_secret"}


class StackSettings(GatewaySettings, WorkerSettings):
    """The settings of both processes."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The doors, and a client of each."""

    settings: StackSettings
    database: sa.Engine
    storage: Storage
    operations: Operations
    http: httpx.Client
    channel: grpc.Channel
    rpc_address: str

    def upload(self, name: str, content: bytes | None = None) -> str:
        """The id of an uploaded file."""
        answer = self.http.post("/v1/media", params={"name": name}, content=content or name.encode())
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def start_batch(self, *video_names: str, **options: object) -> dict[str, Any]:
        """A new batch as REST shows it."""
        videos = [self.upload(name) for name in video_names]
        body = {"audio_id": self.upload("speech.wav"), "video_ids": videos, "options": options}
        answer = self.http.post("/v1/batches", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def start_job(self, video_name: str) -> str:
        """The id of the one job of a new batch."""
        return str(self.start_batch(video_name)["jobs"][0]["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as REST shows it."""
        return dict(self.http.get(f"/v1/jobs/{job_id}").json())

    def wait_for(self, job_id: str, *states: str, seconds: float = 15) -> dict[str, Any]:
        """The job once it is in one of the states."""
        job: dict[str, Any] = wait_until(lambda: (job := self.job(job_id))["state"] in states and job, seconds)
        return job

    def causes(self, job_id: str) -> list[str]:
        """Why each try of a job was begun, as the workers' log says."""
        log = (self.settings.scratch.parent / "worker.log").read_text()
        return re.findall(rf"job {re.escape(job_id)} .*: attempt \d+ \((\w+)\)", log)

    def renders(self, job_id: str) -> list[int]:
        """Process ids of the render children that a job has had."""
        return [int(path.name.rsplit(".", 1)[1]) for path in render_log(self.settings).glob(f"{job_id}.*")]


def wait_until(look: Callable[[], Any], seconds: float = 15) -> Any:
    """The first true value of `look`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


def make_settings(folder: Path, **changes: Any) -> StackSettings:
    """Everything in one folder; uploads up to 3 MB, recordings up to 100 minutes."""
    values = {
        "database_url": f"sqlite:///{folder / 'chorus.db'}",
        "store_url": (folder / "store").as_uri(),
        "scratch": folder / "scratch",
        "max_upload_bytes": 3_000_000,
        "max_minutes": 100,
        "stall_seconds": 1.5,
        "drain_seconds": 0,
        "worker_slots": 2,
        "preprocess_address": "127.0.0.1:1",
        "triton_url": "127.0.0.1:1",
    }
    return StackSettings(**{**values, **changes})


def environment_of(settings: StackSettings) -> dict[str, str]:
    """The environment in which a process has these settings."""
    given = settings.model_dump(exclude_none=True, exclude=_OF_ANOTHER_FORM)
    own = {f"CHORUS_{name.upper()}": str(value) for name, value in given.items()}
    return os.environ | own | {"CHORUS_TOKEN": settings.token.get_secret_value()}


def render_log(settings: StackSettings) -> Path:
    """Where every render child leaves a file named <job id>.<process id>."""
    return settings.scratch.parent / "renders"


def open_operations(settings: StackSettings) -> tuple[sa.Engine, Storage, Operations]:
    """As the composition root does it, but with a preprocess that only pretends."""
    return build_operations(settings, FakeLook(Storage(settings.store_url, settings.scratch)))


@contextmanager
def open_gateway(settings: StackSettings, crowd: Crowd | None = None) -> Iterator[Gateway]:
    """The REST and gRPC doors on free ports; `crowd` counts the connections."""
    render_log(settings).mkdir(parents=True, exist_ok=True)
    database, storage, operations = open_operations(settings)
    check_lock(settings)
    requests, logins = SharedCounts(database), ExactCounts(database)
    exchange = CountExchange(requests)
    sessions = SessionRows(database, hours=settings.session_hours, idle_hours=settings.session_idle_hours)
    gate = build_gate(settings, sessions, operations.audit, requests, logins)
    watch = SessionWatch(gate.sessions)
    app = build_app(operations, gate, [login, login_elsewhere])
    protocol = protocol_of(crowd or open_crowd())
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=protocol, log_config=None, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as http,
            running_server(partial(build_rpc_server, operations, gate)) as rpc_port,
            grpc_client.open_channel(f"127.0.0.1:{rpc_port}") as channel,
            telemetry.queue_watched(operations.queue_depth),
        ):
            yield Gateway(settings, database, storage, operations, http, channel, f"127.0.0.1:{rpc_port}")
    finally:
        operations.preflights.close()
        operations.models.imports.close()
        operations.readiness.close()
        operations.drafts.close()
        exchange.close()
        watch.close()
        server.should_exit = True
        thread.join(10)
        database.dispose()


def start_worker(settings: StackSettings, command: Sequence[str] = (__file__,)) -> subprocess.Popen[bytes]:
    """A worker process that is ready to take jobs; its log lies beside the scratch folder.

    `command`: what Python is told to run, if not the worker as it is.
    """
    log = settings.scratch.parent / "worker.log"
    lines_before = log.read_text().count(_READY) if log.exists() else 0
    environment = environment_of(settings) | {"FAKE_RENDER_LOG": str(render_log(settings)), "PYTHONPATH": str(ROOT)}
    with log.open("ab") as output:
        worker = subprocess.Popen([sys.executable, *command], env=environment, stderr=output)

    def is_ready() -> bool:
        assert worker.poll() is None, log.read_text()
        return log.read_text().count(_READY) > lines_before

    try:
        wait_until(is_ready, 90)
    except BaseException:
        worker.kill()
        worker.wait(5)
        raise
    return worker


@contextmanager
def running_worker(settings: StackSettings, command: Sequence[str] = (__file__,)) -> Iterator[subprocess.Popen[bytes]]:
    """As start_worker; it is killed at the end if it still runs."""
    worker = start_worker(settings, command)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait(5)


def is_alive(pid: int) -> bool:
    """True while a process runs; a dead one that nobody has waited for counts as gone."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # gone before the file was opened, or before it was read
        return False


def main(_arguments: Sequence[str]) -> None:
    """The worker process."""
    settings = WorkerSettings()
    telemetry.configure_logging("test-worker", settings.log_level, settings.log_form)
    telemetry.configure_tracing("worker", settings)
    render = RenderSettings(
        command=(sys.executable, str(Path(__file__).with_name("fake_render.py"))),
        scratch=settings.scratch,
        stalls=settings.stalls,
        retry_delays=(0.5,),
    )
    run_worker(settings, render)


if __name__ == "__main__":
    main(sys.argv)
