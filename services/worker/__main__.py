"""`python -m services.worker`: takes jobs from the engine, starts a render child for each, publishes the outputs."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from functools import partial

from services import telemetry
from services.acting import SYSTEM, acting_as
from services.errors import exit_code_of
from services.jobs.encoders import find_encoder, log_encoder
from services.jobs.engine.queue import open_queue
from services.jobs.engine.runner import RenderSettings
from services.jobs.engine.worker import Worker
from services.jobs.imported import IMPORTED
from services.library.artifacts import Artifacts
from services.library.media import MediaLibrary
from services.library.outputs import Outputs
from services.library.retention import RetentionRule, apply_retention
from services.metrics_door import open_metrics_door
from services.storage import Storage
from services.worker.settings import WorkerSettings


def main() -> int:
    """Work until SIGTERM; the exit code."""
    settings = WorkerSettings()
    telemetry.configure_logging("worker", settings.log_level, settings.log_form)
    telemetry.configure_tracing("worker", settings)
    encoder = find_encoder(settings.encoder)
    log_encoder(encoder, settings.encoder)
    render = RenderSettings(
        command=(sys.executable, "-m", "services.render", "zygote"),
        scratch=settings.scratch,
        stalls=settings.stalls,
        hardware=encoder.hardware,
    )
    return exit_code_of(partial(run, settings, render))


def run(settings: WorkerSettings, render: RenderSettings) -> None:
    """Take jobs and have them rendered until SIGTERM."""
    IMPORTED.look_in(settings.families)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database, queue = open_queue(settings.database_url)
    storage = Storage(settings.store_url, settings.scratch)
    artifacts = Artifacts(storage)
    media, outputs = MediaLibrary(database, queue, artifacts), Outputs(database, queue, artifacts)
    retention = RetentionRule(database, settings.retention_days)
    worker = Worker(
        database,
        storage,
        render,
        slots=settings.worker_slots,
        drain_seconds=settings.drain_seconds,
        beat_seconds=settings.beat_seconds,
    )
    telemetry.disk_watched("scratch", lambda: shutil.disk_usage(settings.scratch).free)
    open_metrics_door(settings.metrics_host, settings.metrics_port, worker.takes_jobs.is_set, worker.watchdog.hung)

    def keep_up() -> None:
        with acting_as(SYSTEM):
            storage.sweep()
            media.sweep()
            outputs.sweep()
            apply_retention(queue, outputs, media, retention.days_now())

    worker.run(stop, upkeep=keep_up)


if __name__ == "__main__":
    sys.exit(main())
