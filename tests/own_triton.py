"""The embedded Triton without a stack round it, for the tests of what it serves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from services.local.log_file import LogFile
from services.local.ports import free_port
from services.local.settings import LocalSettings
from services.local.supervisor import Supervisor
from services.local.triton_runtime import find_runtime
from services.local.triton_server import triton_service
from services.triton import TritonClient


@contextmanager
def supervised_triton(repository: Path, folder: Path, port: int, *, hang_seconds: float = 60) -> Iterator[Supervisor]:
    """One that serves every model of `repository`: not started, and stopped at the end of the block."""
    models = tuple(path.parent.name for path in repository.glob("*/config.pbtxt"))
    service = triton_service(
        find_runtime(LocalSettings().triton_runtime),
        repository,
        models,
        folder,
        families=folder / "families",
        engines=folder / "engines",
        port=port,
        metrics_port=free_port(),
    )
    log = LogFile(folder / "chorus.log")
    supervisor = Supervisor([[service]], log, lambda _: None, hang_seconds=hang_seconds)
    try:
        yield supervisor
    finally:
        supervisor.stop()
        log.close()


@contextmanager
def running_triton(repository: Path, folder: Path) -> Iterator[TritonClient]:
    """A client of one that serves every model of `repository`; what computes them is told in `folder`/engines."""
    port = free_port()
    with supervised_triton(repository, folder, port) as supervisor:
        supervisor.start(threading.Event())
        with closing(TritonClient(f"127.0.0.1:{port}", timeout_seconds=120)) as client:
            yield client
