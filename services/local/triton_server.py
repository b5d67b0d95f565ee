"""The embedded Triton as a service of the supervisor: backend folder, command line, shared memory, readiness."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from services.errors import ChorusError
from services.folders import make_folder
from services.local.child import Service
from services.local.gpus import Gpu, plan_key
from services.local.triton_runtime import TritonRuntime
from services.triton import PLAN_SECONDS, TritonClient

_log = logging.getLogger(__name__)

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # where the kernel puts it
_OUR_BACKENDS: Final = Path(__file__).with_name("backends")
# What Triton says on every machine without a GPU, as a warning or an error; it runs well without.
_NOISE: Final = (
    "Unable to allocate pinned system memory",
    "CudaDriverHelper has not been initialized",
    "Failed to initialize NVML",
    "DCGM unable to start",
    "Cuda failure",
)

_READY_SECONDS: Final = 120.0
_LOAD_SECONDS: Final = 60.0

_LOST: Final = frozenset({psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED})


@dataclass(frozen=True, slots=True)
class Acceleration:
    """What may compute the models."""

    engine: str = "auto"
    """As LocalSettings.model_engine"""
    gpus: Sequence[Gpu] = ()
    plans: Path | None = None
    """Where TensorRT's plans lie, for all kinds of GPUs; without it there are none, and no TensorRT"""
    library_path: str = ""
    """Where else the driver's libraries may lie"""

    @property
    def plan_seconds(self) -> float:
        """How long a start may take for plans to be made."""
        return PLAN_SECONDS if self.gpus and self.engine in ("auto", "tensorrt") else 0.0


def triton_service(
    runtime: TritonRuntime,
    repository: Path,
    models: Sequence[str],
    scratch: Path,
    *,
    families: Path,
    engines: Path,
    port: int,
    metrics_port: int,
    acceleration: Acceleration | None = None,
) -> Service:
    """Triton on 127.0.0.1 with the models of `repository` and, as they come and go, those of `families`.

    Makes `families` where it is missing, and its backend folder in `scratch`, which is no other stack's. In `engines`
    each loaded model says what computes it (jobs/engines.py); it is emptied before each start. Without an acceleration
    the processor computes everything.
    """
    address = f"127.0.0.1:{port}"
    region_prefix = f"chorus-{hashlib.sha256(str(scratch.absolute()).encode()).hexdigest()[:12]}-"
    backends = scratch / "triton-backends"
    client = TritonClient(address)
    given = acceleration or Acceleration("cpu")
    patient = TritonClient(address, timeout_seconds=_LOAD_SECONDS + given.plan_seconds)

    build_backends(runtime, backends)
    if not families.exists():
        make_folder(families, private=True)
    return Service(
        name="triton",
        command=(
            str(runtime.server),
            f"--model-repository={repository}",
            f"--model-repository={families}",
            # What a user imported is loaded on demand: one such model that cannot be loaded must not stop the others.
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in models),
            "--strict-readiness=false",
            f"--backend-directory={backends}",
            f"--backend-config=python,shm-region-prefix-name={region_prefix}",
            "--disable-auto-complete-config",
            "--allow-http=false",
            "--grpc-address=127.0.0.1",
            f"--grpc-port={port}",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={metrics_port}",
            "--exit-timeout-secs=3",
            "--log-info=false",
        ),
        environment={
            "LD_LIBRARY_PATH": ":".join(map(str, _libraries(runtime, given))),
            # The stub's Python takes the environment of the first python3 on PATH for its own.
            "PATH": f"{runtime.programs}:/usr/bin:/bin",
            "PYTHONPATH": "",
            "PYTHONHOME": "",
            "CHORUS_ENGINES": str(engines),
            "CHORUS_MODEL_ENGINE": given.engine,
            "CHORUS_PLANS": str(given.plans / plan_key(given.gpus)) if given.gpus and given.plans else "",
            # By itself the models' runtime tells Microsoft that it was started.
            "ORT_DISABLE_TELEMETRY": "1",
        },
        address=address,
        is_ready=lambda: client.ready(models) and _loaded(patient, families),
        answers=client.alive,
        is_broken=_lost_a_stub,
        clear_leftovers=lambda: _sweep(region_prefix, engines),
        is_noise=lambda line: any(words in line for words in _NOISE),
        ready_seconds=_READY_SECONDS + given.plan_seconds,
    )


def _libraries(runtime: TritonRuntime, acceleration: Acceleration) -> list[str | Path]:
    """Folders of shared libraries; CUDA's, from their own packages, only where they are of use."""
    plain: list[str | Path] = [runtime.libraries, runtime.libpython]
    if not acceleration.gpus:
        return plain
    return [*plain, *runtime.cuda, *filter(None, acceleration.library_path.split(":"))]


def _loaded(client: TritonClient, families: Path) -> bool:
    """Load what was imported; True in any case: what cannot be loaded is told, and its jobs say so as well."""
    for name in sorted(path.parent.name for path in families.glob("*/config.pbtxt")):
        try:
            client.load(name)
        except ChorusError as error:
            _log.warning("the imported family %s cannot be used: %s", name, error)
    return True


def _sweep(region_prefix: str, engines: Path) -> None:
    """Remove the shared memory of a start that was killed, and what it said of its engines.

    Only one Triton at a time has this prefix and this folder.
    """
    shutil.rmtree(engines, ignore_errors=True)
    make_folder(engines, private=True)
    for segment in _SHARED_MEMORY.glob(f"{region_prefix}*"):
        segment.unlink(missing_ok=True)


def build_backends(runtime: TritonRuntime, folder: Path) -> None:
    """Make Triton's folder of backends, ours among them, in the place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_OUR_BACKENDS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    python = folder / "python"
    python.mkdir()
    for path in (*runtime.python_backend.glob("*.*"), runtime.stub):
        shutil.copy(path, python)  # copied: Triton refuses a library whose link leads out of its folder


def _lost_a_stub(pid: int) -> bool:
    """True when a model's process has died or was stopped: Triton answers on, but without this model."""
    with suppress(psutil.Error):
        return any(child.status() in _LOST for child in psutil.Process(pid).children())
    return False
