"""Composition root of the gateway: `python -m services.gateway api | worker | render`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from services import telemetry
from services.errors import ChorusError
from services.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    import sqlalchemy as sa

    from services.gateway.operations import Operations
    from services.storage import Storage

_log = logging.getLogger(__name__)

# Each process imports its own half, in its function: a render child needs no database, a worker no web server.

_GRACE_SECONDS: Final = 3
_EXIT_SECONDS: Final = 9.0
_SWEEP_SECONDS: Final = 3600.0


def main() -> int:
    """Run one process until it is told to stop; its exit code."""
    processes: Mapping[str, Callable[[GatewaySettings], int]] = {
        "api": run_api,
        "worker": run_worker,
        "render": run_render,
    }
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in processes:
        sys.stderr.write(f"usage: python -m services.gateway {' | '.join(processes)}\n")
        return 2
    settings = GatewaySettings()
    telemetry.configure_logging(f"gateway-{name}", settings.log_level)
    try:
        return processes[name](settings)
    except ChorusError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def run_api(settings: GatewaySettings) -> int:
    """The REST and gRPC doors, until SIGTERM."""
    import uvicorn

    from services import grpc_server
    from services.gateway import database as tables
    from services.gateway.readiness import Readiness
    from services.gateway.rest_app import build_app
    from services.gateway.rpc import build_rpc_server
    from services.gateway.safety.lock import build_gate, check_lock
    from services.gateway.web.mount import mount_page

    check_lock(settings)
    database, storage, operations = build_operations(settings)
    gate = build_gate(settings, tables.find_secret(database, "session"))
    preprocess = grpc_server.open_channel(settings.preprocess_address)
    triton = grpc_server.open_channel(settings.triton_url)
    app = build_app(operations, Readiness(database, storage, preprocess, triton), gate)
    mount_page(app, operations, storage_secret=tables.find_secret(database, "page"), folder=settings.scratch / "page")
    rpc = build_rpc_server(operations, gate)
    grpc_server.start(rpc, f"{settings.host}:{settings.grpc_port}")
    stop = threading.Event()
    threading.Thread(target=_sweep_hourly, args=(operations, stop), daemon=True).start()
    # uvicorn stops on these by itself, and raises them once more when it is done: that time nothing shall happen.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        uvicorn.Server(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                # At info it tells every websocket that the page opens, with the id of the page.
                log_level="warning",
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        ).run()
    finally:
        stop.set()
        operations.preflights.close()
        rpc.stop(_GRACE_SECONDS).wait(_EXIT_SECONDS)
    return 0


def _sweep_hourly(operations: Operations, stop: threading.Event) -> None:
    while not stop.wait(_SWEEP_SECONDS):
        try:
            operations.uploads.sweep()
        except ChorusError as error:
            _log.warning("unfinished uploads could not be swept: %s", error)


def run_worker(settings: GatewaySettings) -> int:
    """Takes and renders jobs until SIGTERM."""
    from services.gateway.engine.runner import RenderSettings
    from services.gateway.engine.worker import Worker

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database, storage, operations = build_operations(settings)
    render = RenderSettings(
        command=(sys.executable, "-m", "services.gateway", "render"),
        scratch=settings.scratch,
        stall_seconds=settings.stall_seconds,
    )
    worker = Worker(database, storage, render, slots=settings.worker_slots)
    telemetry.serve_metrics(settings.metrics_port)

    def keep_up() -> None:
        storage.sweep()
        operations.apply_retention(settings.retention_days)

    worker.run(stop, upkeep=keep_up)
    return 0


def run_render(settings: GatewaySettings) -> int:
    """Renders the one job on stdin."""
    from services.gateway import render_process

    return render_process.run(settings)


def build_operations(settings: GatewaySettings) -> tuple[sa.Engine, Storage, Operations]:
    """The database with its tables, the store, and the operations on both."""
    from services.gateway import database as tables
    from services.gateway.artifacts import Artifacts
    from services.gateway.engine.queue import JobQueue
    from services.gateway.installation import Limits
    from services.gateway.media_library import MediaLibrary
    from services.gateway.operations import Operations
    from services.gateway.partial_uploads import PartialUploads
    from services.gateway.preflight import Preflights
    from services.gateway.probing import Prober
    from services.gateway.run_log import RunLog
    from services.storage import Storage

    database = tables.open_database(settings.database_url)
    tables.create_tables(database)
    queue = JobQueue(database)
    queue.create_tables()
    storage = Storage(settings.store_url, settings.scratch)
    artifacts = Artifacts(storage, settings.scratch, settings.max_upload_bytes)
    artifacts.sweep_uploads()
    prober = Prober((sys.executable, "-m", "services.gateway.probing"))
    media = MediaLibrary(database, queue, artifacts, prober, max_minutes=settings.max_minutes)
    operations = Operations(
        database,
        queue,
        artifacts,
        media=media,
        uploads=PartialUploads(database, artifacts, media, settings.scratch),
        preflights=Preflights(database, media, (sys.executable, "-m", "services.gateway.preflight_process")),
        log=RunLog(settings.log_file),
        limits=Limits(
            max_upload_bytes=settings.max_upload_bytes,
            max_minutes=settings.max_minutes,
            retention_days=settings.retention_days,
        ),
    )
    return database, storage, operations


if __name__ == "__main__":
    sys.exit(main())
