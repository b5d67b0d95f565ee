"""Starts preprocess: python -m services.preprocess. The only place that constructs."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from services import telemetry
from services.errors import exit_code_of
from services.folders import make_folder
from services.grpc_server import build_server, serve
from services.media import Readers
from services.metrics_door import open_metrics_door
from services.one_thread import compute_on_one_thread
from services.preprocess.library import FaceLibrary
from services.preprocess.mel import mel_of
from services.preprocess.probing import ProbePool
from services.preprocess.rpc import SERVICE_NAME, PreprocessServicer
from services.preprocess.settings import PreprocessSettings
from services.preprocess.v1.preprocess_pb2_grpc import add_PreprocessServiceServicer_to_server
from services.storage import Storage
from services.triton import TritonClient
from services.watchdog import Watchdog, WatchedThreads, watch_loop

_MOST_AT_WORK = 32
"""Calls whose next item is being made; the others wait, and health checks with none of them"""


def main() -> int:
    """Serve until SIGTERM; the exit code."""
    settings = PreprocessSettings()
    telemetry.configure_logging("preprocess", settings.log_level, settings.log_form)
    telemetry.configure_tracing("preprocess", settings)
    return exit_code_of(partial(run, settings))


def run(settings: PreprocessSettings) -> None:
    """Serve until SIGTERM."""
    scratch = own_scratch(settings.scratch)
    triton = TritonClient(settings.triton_url, tls=settings.triton_tls)
    storage, probes, readers = Storage(settings.store_url, scratch), ProbePool(scratch), Readers()
    library = FaceLibrary(storage, triton, readers, scratch, max_minutes=settings.max_minutes)
    # librosa compiles and imports at its first use, which takes seconds: before the door opens.
    mel_of(np.zeros(1600, np.float32))
    # Streams are the parallelism; threads inside a warp or a product only compete with the renderer.
    compute_on_one_thread()
    threads, watchdog = WatchedThreads(_MOST_AT_WORK, "preprocess"), Watchdog()
    watchdog.add("threads", threads.is_stuck)
    servicer = PreprocessServicer(library, storage, probes, threads)
    telemetry.disk_watched("scratch", lambda: shutil.disk_usage(scratch).free)
    open_metrics_door(settings.metrics_host, settings.metrics_port, hung=watchdog.hung)
    try:
        asyncio.run(_serve(servicer, settings, watchdog))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        probes.close()
        readers.close()
        triton.close()
        shutil.rmtree(scratch, ignore_errors=True)


async def _serve(servicer: PreprocessServicer, settings: PreprocessSettings, watchdog: Watchdog) -> None:
    # A render whose stream of faces ends must begin again.
    server = await build_server([SERVICE_NAME], is_hung=watchdog.hung, finishing=["StreamFaces"])
    add_PreprocessServiceServicer_to_server(servicer, server.core)
    watching = asyncio.create_task(watch_loop(watchdog))
    await serve(server, settings.preprocess_listen, settings.server_tls, grace_seconds=settings.drain_seconds)
    watching.cancel()


def own_scratch(parent: Path) -> Path:
    """A fresh folder for this process; what killed processes left behind is removed."""
    make_folder(parent)
    for folder in parent.glob("preprocess-*"):
        number = folder.name.removeprefix("preprocess-")
        if not number.isdecimal() or int(number) == os.getpid() or not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)
    own = parent / f"preprocess-{os.getpid()}"
    own.mkdir()
    return own


if __name__ == "__main__":
    sys.exit(main())
