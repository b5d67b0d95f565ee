"""What this machine lacks to run Chorus, and what to do about it."""

from __future__ import annotations

import importlib
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.errors import ChorusError
from services.jobs.encoders import EncoderChoice, find_encoder
from services.jobs.engines import ENGINES
from services.jobs.families import family_cards
from services.jobs.imported import IMPORTED
from services.local.gpus import find_gpus
from services.local.ports import is_free
from services.local.run_file import find_running
from services.local.settings import LocalSettings
from services.local.triton_runtime import (
    INSTALL_COMMAND,
    find_libpython,
    find_runtime,
    glibc_version,
    platform_problem,
    runtime_engines,
)

_PYTHON_VERSIONS = ((3, 11), (3, 12))
_DISK_NEEDED = 2 << 30
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    good: bool
    text: str
    """What was found; when it is not good, also what to do"""


def examine(settings: LocalSettings) -> Iterator[Finding]:
    """One finding after the other; changes nothing."""
    yield _python()
    yield _platform()
    if settings.triton_url:
        yield Finding("triton", True, f"the one at {settings.triton_url} (CHORUS_TRITON_URL) is used")
    else:
        yield _attempt("libpython", lambda: str(find_libpython()))
        yield _attempt("triton", lambda: str(find_runtime(settings.triton_runtime).server))
        yield _gpu(settings)
        yield _engine(settings)
    yield _models(settings)
    yield _families(settings)
    yield _ffmpeg()
    yield _encoder(settings.encoder)
    for folder in {_existing(each): each for each in (settings.folders.scratch, settings.folders.data)}.values():
        yield _disk(folder, settings.least_free_bytes)
    yield _port(settings)
    yield from _down(settings)


def _python() -> Finding:
    good = sys.version_info[:2] in _PYTHON_VERSIONS
    return Finding("python", good, platform.python_version() + ("" if good else ": install Python 3.11 or 3.12"))


def _platform() -> Finding:
    problem = platform_problem()
    found = f"{sys.platform} {platform.machine()}, glibc {'.'.join(map(str, glibc_version()))}"
    return Finding("platform", problem is None, problem.message if problem else found)


def _attempt(name: str, find: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, find())
    except ChorusError as error:
        return Finding(name, False, error.message)


def _gpu(settings: LocalSettings) -> Finding:
    """Whether there is one, and whether the embedded Triton can use it."""
    gpus = find_gpus()
    wanted = settings.model_engine
    if not gpus:
        advice = f", and CHORUS_MODEL_ENGINE={wanted} needs one: set it to auto, or mend the driver"
        lacking = wanted in ("cuda", "tensorrt")
        return Finding("gpu", not lacking, "none that nvidia-smi shows" + (advice if lacking else ""))
    found = "; ".join(gpu.text for gpu in gpus)
    if wanted == "cpu":
        return Finding("gpu", True, f"{found}; not used (CHORUS_MODEL_ENGINE=cpu)")
    try:
        usable = bool(find_runtime(settings.triton_runtime).cuda)
    except ChorusError:
        usable = True  # told above
    return Finding(
        "gpu", True, found if usable else f"{found}; not used: `{INSTALL_COMMAND} --gpu` makes Triton use it"
    )


def _engine(settings: LocalSettings) -> Finding:
    """What computes the loaded models; of a Triton that does not run, what would."""
    if find_running(settings.folders) is not None:
        ENGINES.look_in(settings.folders.engines)
        models: dict[str, list[str]] = {}
        for name, engine in ENGINES.all().items():
            models.setdefault(engine.text, []).append(name)
        if models:
            return Finding("engine", True, "; ".join(f"{text}: {', '.join(names)}" for text, names in models.items()))
    return _attempt("engine", lambda: runtime_engines(find_runtime(settings.triton_runtime)))


def _families(settings: LocalSettings) -> Finding:
    IMPORTED.look_in(settings.family_folder)
    return Finding("families", True, ", ".join(f"{card.name} ({card.licence})" for card in family_cards().values()))


def _models(settings: LocalSettings) -> Finding:
    without = [name for name in settings.models if not any((settings.model_repository / name).glob("[0-9]*/model.*"))]
    if not settings.models:
        return Finding("models", False, f"none in {settings.model_repository}: set CHORUS_MODEL_REPOSITORY")
    if without:
        return Finding("models", False, f"no model file for {', '.join(without)}: restore them, or run `make models`")
    return Finding("models", True, ", ".join(settings.models))


def _ffmpeg() -> Finding:
    try:
        importlib.import_module("services.media")  # here, not above: its libraries may be what is broken
    except ImportError as error:
        return Finding("ffmpeg", False, f"{error}: `pip install --force-reinstall av opencv-python-headless`")
    return Finding("ffmpeg", True, "PyAV loads")


def _encoder(choice: EncoderChoice) -> Finding:
    encoder = find_encoder(choice)
    good = choice != "hardware" or encoder.hardware is not None
    return Finding("encoder", good, encoder.text + ("" if good else ": install its driver, or unset CHORUS_ENCODER"))


def _disk(folder: Path, least_free: int) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free
    text = f"{free / _GIB:.1f} GiB free in {folder}"
    needed = max(_DISK_NEEDED, least_free)
    if free >= needed:
        return Finding("disk", True, text)
    refused = "; uploads and batches are refused (CHORUS_LEAST_FREE_BYTES)" if free < least_free else ""
    advice = f"make room for {needed / _GIB:g} GiB, or set CHORUS_HOME to another disk"
    return Finding("disk", False, f"{text}{refused}: {advice}")


def _existing(folder: Path) -> Path:
    """It, or what is nearest above it."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _port(settings: LocalSettings) -> Finding:
    if (stack := find_running(settings.folders)) is not None:
        metrics = ", ".join(f"{name} {address}" for name, address in stack.metrics.items())
        return Finding("port", True, f"Chorus is running at {stack.address}; /metrics of {metrics}")
    good = is_free(settings.port, settings.host)
    return Finding("port", good, f"{settings.port} is {'free' if good else 'taken: use `chorus up --port N`'}")


def _down(settings: LocalSettings) -> Iterator[Finding]:
    stack = find_running(settings.folders)
    for name, why in (stack.down if stack is not None else {}).items():
        yield Finding(name, False, f"{why}; it is started again and again: see {settings.folders.log_file}")
