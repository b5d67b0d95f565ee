"""Composition root of the api: `python -m services.gateway`."""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, Protocol

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI

from services import telemetry
from services.acting import SYSTEM, act_as
from services.errors import ChorusError, exit_code_of
from services.gateway.access.connections import open_crowd, protocol_of
from services.gateway.access.gate import Gate
from services.gateway.access.lock import build_gate, check_lock
from services.gateway.access.sessions import SessionWatch
from services.gateway.operations.audit import AuditLog
from services.gateway.operations.batches import Operations
from services.gateway.operations.counts import CountExchange, ExactCounts, SharedCounts
from services.gateway.operations.drafts import Drafts
from services.gateway.operations.errands import ModelRepository
from services.gateway.operations.import_rows import ImportRows
from services.gateway.operations.model_imports import ModelImports
from services.gateway.operations.models import Models
from services.gateway.operations.readiness import Readiness
from services.gateway.operations.run_log import RunLog
from services.gateway.operations.session_rows import SessionRows
from services.gateway.rest.app import build_app
from services.gateway.rpc.servicer import build_rpc_server
from services.gateway.settings import GatewaySettings
from services.gateway.web.login import router as login
from services.gateway.web.login_elsewhere import router as login_elsewhere
from services.gateway.web.mount import mount_page
from services.grpc_client import Connection
from services.jobs.engine.queue import open_queue
from services.jobs.engines import ENGINES
from services.jobs.imported import IMPORTED
from services.library.artifacts import Artifacts
from services.library.intake import Intake, Prober
from services.library.limits import Limits
from services.library.media import MediaLibrary
from services.library.outputs import Outputs
from services.library.preflight import Analyst, Preflights
from services.library.quotas import Quotas
from services.library.resumable import ResumableUploads
from services.library.retention import RetentionRule
from services.library.room import Room
from services.library.upload_parts import UploadParts
from services.metrics_door import open_metrics_door
from services.preprocess.look import LookClient
from services.storage import Storage

_log = logging.getLogger(__name__)

_SWEEP_SECONDS: Final = 3600.0


def main() -> int:
    """Serve until SIGTERM; the exit code."""
    settings = GatewaySettings()
    telemetry.configure_logging("api", settings.log_level, settings.log_form)
    telemetry.configure_tracing("api", settings)
    return exit_code_of(partial(run, settings))


def run(settings: GatewaySettings) -> None:
    """The REST and gRPC doors, until SIGTERM."""
    check_lock(settings)
    IMPORTED.look_in(settings.families)
    ENGINES.look_in(settings.engines)
    look = LookClient(settings.preprocess_address, tls=settings.preprocess_tls)
    database, storage, operations = build_operations(settings, look)
    telemetry.disk_watched("store", storage.free)
    telemetry.disk_watched("scratch", lambda: shutil.disk_usage(settings.scratch).free)
    telemetry.disk_kept_free(settings.least_free_bytes)
    requests, logins = SharedCounts(database), ExactCounts(database)
    sessions = SessionRows(database, hours=settings.session_hours, idle_hours=settings.session_idle_hours)
    gate = build_gate(settings, sessions, operations.audit, requests, logins)
    app = build_app(operations, gate, [login, login_elsewhere])
    mount_page(app, operations)
    open_metrics_door(settings.metrics_host, settings.metrics_port, hung=app.state.watchdog.hung)
    stop, exchange, watch = threading.Event(), CountExchange(requests), SessionWatch(gate.sessions)
    sweeps = (*operations.sweeps, requests.sweep, sessions.sweep)
    threading.Thread(target=_sweep_hourly, args=(sweeps, stop), daemon=True).start()
    threading.Thread(target=operations.readiness.watch, args=(stop,), daemon=True).start()
    try:
        with telemetry.queue_watched(operations.queue_depth):
            asyncio.run(_serve(app, operations, gate, settings))
    finally:
        stop.set()
        operations.preflights.close()
        operations.models.imports.close()
        operations.readiness.close()
        operations.drafts.close()
        exchange.close()
        watch.close()
        look.close()


async def _serve(app: FastAPI, operations: Operations, gate: Gate, settings: GatewaySettings) -> None:
    """Both doors on one event loop, until SIGTERM or SIGINT."""
    rpc = await build_rpc_server(operations, gate)
    tls = settings.server_tls
    await rpc.start(f"{settings.host}:{settings.grpc_port}", tls)
    web = _Web(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=protocol_of(open_crowd()),
            log_config=None,
            access_log=False,
            # At info it tells every websocket that the page opens, with the id of the page.
            log_level="warning",
            timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
            ssl_context_factory=None if tls is None else lambda *_: tls.web_context(),
        ),
        stop_first=lambda: rpc.stop(settings.drain_seconds),
    )
    # uvicorn stops on these by itself, and raises them once more when it is done: that time nothing shall happen.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    await web.serve()


class _Web(uvicorn.Server):
    """REST and the page; their stop begins with that of another door, whose watchers use threads that end with it."""

    def __init__(self, config: uvicorn.Config, stop_first: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(config)
        self._stop_first = stop_first

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._stop_first()
        await super().shutdown(sockets)


def _sweep_hourly(sweeps: Sequence[Callable[[], object]], stop: threading.Event) -> None:
    act_as(SYSTEM)
    while not stop.wait(_SWEEP_SECONDS):
        for sweep in sweeps:
            try:
                sweep()
            except ChorusError as error:
                _log.warning("what is old could not be swept: %s", error)


class Look(Prober, Analyst, Protocol):
    """What the api asks of preprocess."""


def build_operations(settings: GatewaySettings, look: Look) -> tuple[sa.Engine, Storage, Operations]:
    """The database with its tables, the store, and the operations on both."""
    database, queue = open_queue(settings.database_url)
    storage = Storage(settings.store_url, settings.scratch)
    artifacts = Artifacts(storage)
    limits = Limits(
        max_upload_bytes=settings.max_upload_bytes,
        max_minutes=settings.max_minutes,
        retention_days=settings.retention_days,
        queued_jobs=settings.max_queued_jobs,
        owner_bytes=settings.owner_bytes,
        owner_jobs=settings.owner_jobs,
        least_free_bytes=settings.least_free_bytes,
    )
    media = MediaLibrary(database, queue, artifacts)
    quotas = Quotas(database, queue, limits)
    room = Room(storage, settings.scratch, settings.least_free_bytes)
    intake = Intake(media, storage, look, limits, settings.scratch, quotas, room)
    intake.sweep()
    repository = ModelRepository(
        settings.families, triton=settings.triton_url, tls=settings.triton_tls, allowed=settings.model_import
    )
    uploads = ResumableUploads(database, media, intake, UploadParts(database, storage), repository.check)
    models = Models(repository, ModelImports(ImportRows(database), uploads, repository, settings.scratch))
    models.imports.sweep()
    operations = Operations(
        database,
        queue,
        artifacts,
        media=media,
        intake=intake,
        outputs=Outputs(database, queue, artifacts),
        uploads=uploads,
        models=models,
        preflights=Preflights(database, media, limits, look),
        log=RunLog(settings.log_file),
        limits=limits,
        quotas=quotas,
        retention=RetentionRule(database, settings.retention_days),
        room=room,
        drafts=Drafts(database),
        audit=AuditLog(database, settings.audit_days),
        readiness=Readiness(
            database,
            storage,
            queue,
            Connection(settings.preprocess_address, settings.preprocess_tls),
            Connection(settings.triton_url, settings.triton_tls, ours=False),
        ),
    )
    return database, storage, operations


if __name__ == "__main__":
    sys.exit(main())
