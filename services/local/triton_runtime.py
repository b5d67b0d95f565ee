"""The virtual environment of the embedded Triton: where its parts lie, what is missing, how it is installed."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.parent_death import dying_with_us

REQUIREMENTS: Final = Path(__file__).with_name("triton-requirements.txt")
GPU_REQUIREMENTS: Final = REQUIREMENTS.with_name("triton-gpu-requirements.txt")
# What ONNX Runtime's wheel for GPUs was built with. PyPI has a package that fetches NVIDIA's own from pypi.nvidia.com.
TENSORRT: Final = "tensorrt-cu13-libs==10.16.1.11"
OPENVINO: Final = Path(__file__).with_name("triton-openvino.txt")
INSTALL_COMMAND: Final = f"{sys.executable} -m services.local install-triton"
GLIBC_NEEDED: Final = (2, 35)
_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_ASK_ENGINES: Final = """
from importlib import metadata, util
import onnxruntime as o
print(metadata.version("openvino") if util.find_spec("openvino") else "-", o.__version__, *o.get_available_providers())
"""
_ASK_SECONDS: Final = 30
_INSTALL_SECONDS: Final = 1800


@dataclass(frozen=True, slots=True)
class TritonRuntime:
    """The parts of an installed runtime that a start needs."""

    programs: Path
    """Folder of the environment's python3, by which Triton's stub finds its packages"""
    server: Path
    libraries: Path
    python_backend: Path
    stub: Path
    libpython: Path
    """Folder of libpython3.X.so.1.0"""
    cuda: tuple[Path, ...]
    """Folders of the libraries of CUDA and TensorRT; none where it was installed for the processor alone"""


def find_runtime(place: Path) -> TritonRuntime:
    """The runtime installed at `place`; UNAVAILABLE, with what to do, when something is missing."""
    if (problem := platform_problem()) is not None:
        raise problem
    packages = place / "lib" / f"python{_PYTHON}" / "site-packages"
    tritonserver = packages / "pytriton" / "tritonserver"
    runtime = TritonRuntime(
        programs=place / "bin",
        server=tritonserver / "bin" / "tritonserver",
        libraries=packages / "nvidia_pytriton.libs",
        python_backend=tritonserver / "backends" / "python",
        stub=tritonserver / "python_backend_stubs" / _PYTHON / "triton_python_backend_stub",
        libpython=find_libpython(),
        cuda=(*sorted(packages.glob("nvidia/*/lib")), *sorted(packages.glob("tensorrt_libs"))),
    )
    if not (runtime.server.exists() and runtime.stub.exists()):
        raise ChorusError(ErrorKind.UNAVAILABLE, "triton-not-installed", folder=str(place), command=INSTALL_COMMAND)
    return runtime


def runtime_engines(runtime: TritonRuntime) -> str:
    """What the runtime computes models with, for a person; UNAVAILABLE when its library does not load."""
    command = [str(runtime.programs / "python3"), "-I", "-c", _ASK_ENGINES]
    try:
        done = subprocess.run(dying_with_us(command), capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
        failure = done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
    except subprocess.TimeoutExpired as error:
        failure = str(error)
    if failure:
        raise ChorusError(ErrorKind.UNAVAILABLE, "triton-no-engine", reason=failure, command=INSTALL_COMMAND)
    openvino, version, *providers = done.stdout.split()
    found = [name.removesuffix("ExecutionProvider").replace("Tensorrt", "TensorRT") for name in providers]
    # Azure comes with every build, and runs nothing here; TensorRT with every one for GPUs, but not its libraries.
    idle = {"Azure"} if _has_tensorrt(runtime) else {"Azure", "TensorRT"}
    text = f"ONNX Runtime {version} for {', '.join(name for name in found if name not in idle)}"
    return text if openvino == "-" else f"{text}; OpenVINO {openvino}"


def _has_tensorrt(runtime: TritonRuntime) -> bool:
    return any(folder.name == "tensorrt_libs" for folder in runtime.cuda)


def find_libpython() -> Path:
    """The folder of the shared library of this Python version; UNAVAILABLE names the package that has it."""
    name = f"libpython{_PYTHON}.so.1.0"
    multiarch = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    places = [sysconfig.get_config_var("LIBDIR") or "", f"{sys.base_prefix}/lib", f"/usr/lib/{multiarch}"]
    places += ["/usr/local/lib", "/usr/lib64", "/usr/lib"]
    for place in map(Path, filter(None, places)):
        if (place / name).exists():
            return place
    raise ChorusError(ErrorKind.UNAVAILABLE, "libpython-missing", library=name, package=f"libpython{_PYTHON}")


def platform_problem() -> ChorusError | None:
    """Why the embedded Triton cannot run on this machine at all; None when it can."""
    system, machine = sys.platform, platform.machine()
    if (system, machine) != ("linux", "x86_64"):
        return ChorusError(ErrorKind.UNAVAILABLE, "platform-unusable", system=system, machine=machine)
    if glibc_version() < GLIBC_NEEDED:
        needed, found = (".".join(map(str, version)) for version in (GLIBC_NEEDED, glibc_version()))
        return ChorusError(ErrorKind.UNAVAILABLE, "glibc-too-old", needed=needed, found=found)
    return None


def glibc_version() -> tuple[int, ...]:
    """The version of the C library, (0,) when it is not glibc."""
    try:
        text = (os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc ")
        return tuple(int(part) for part in text.split("."))
    except (ValueError, OSError):
        return (0,)


def install_openvino(place: Path) -> None:
    """Add OpenVINO to the runtime that is installed at `place`; a runtime that is made anew has it no more."""
    _run([*_pip(place), "--requirement", str(OPENVINO)])


def install_runtime(place: Path, *, gpu: bool | None = None, report: Callable[[str], None] = lambda _: None) -> bool:
    """Make the runtime at `place`; False when it is there already, and so nothing was done.

    `gpu`: with CUDA's libraries (3 GB) and, where NVIDIA's packages can be had, TensorRT's, or without; None: as it is.
    `report` hears why TensorRT is left out, which is tried again whenever `gpu` is asked for.
    """
    stamp = place / "chorus-installed"
    before = stamp.read_text() if stamp.exists() else ""
    with_gpu = before.startswith("gpu ") if gpu is None else gpu
    requirements = GPU_REQUIREMENTS if with_gpu else REQUIREMENTS
    content = f"{'gpu ' if with_gpu else ''}{_PYTHON} {hashlib.sha256(requirements.read_bytes()).hexdigest()}\n"
    if before == content:
        return gpu is True and not _has_tensorrt(find_runtime(place)) and _add_tensorrt(place, report)
    if (problem := platform_problem()) is not None:
        raise problem
    _run([sys.executable, "-m", "venv", "--clear", str(place)])
    _run([*_pip(place), "--requirement", str(requirements)])
    if with_gpu:
        _add_tensorrt(place, report)
    _ensure_libpython()
    find_runtime(place)
    stamp.write_text(content)
    return True


def _pip(place: Path) -> list[str]:
    options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    return [str(place / "bin" / "python"), "-m", "pip", "install", *options]


def _add_tensorrt(place: Path, report: Callable[[str], None]) -> bool:
    """False where it cannot be had; CUDA computes then."""
    try:
        _run([*_pip(place), TENSORRT])
    except ChorusError as error:
        report(f"TensorRT is left out, CUDA computes: {error}")
        return False
    return True


def _ensure_libpython() -> None:
    """Install the one part that no wheel has, where that can be done without asking: Debian's own Python, as root."""
    try:
        find_libpython()
    except ChorusError:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise
        _run(["apt-get", "update", "--quiet"])
        _run(["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", f"libpython{_PYTHON}"])


def _run(command: list[str]) -> None:
    # Asked, not killed: a package manager must not be torn from its work.
    done = subprocess.run(
        dying_with_us(command, signal.SIGTERM),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-8:])
        raise ChorusError(ErrorKind.UNAVAILABLE, "triton-install-failed", command=" ".join(command), lines=tail)
