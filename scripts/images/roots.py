"""Executes the instructions of a Dockerfile in a Debian root by chroot, stage by stage; as root, on Linux."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.images.context import read_patterns, sent_files
from scripts.images.dockerfile import ROOT, Stage, read_dockerfile

PLACE: Final = ROOT / "build" / "images"
_PYTHON_IMAGE: Final = "python:3.11"
# What the image python:3.11-slim-bookworm has beside Debian's smallest set: the libraries that Python was linked with.
_PACKAGES: Final = (
    *("ca-certificates", "netbase", "tzdata", "libssl3", "libsqlite3-0", "libffi8", "libbz2-1.0", "liblzma5"),
    *("zlib1g", "libreadline8", "libncursesw6", "libuuid1", "libgdbm6"),
)
_PATH: Final = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
_RUN_SECONDS: Final = 1800
# How this machine reaches a package index, which is no part of an image.
_NETWORK: Final = ("PIP_CERT", "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "SSL_CERT_FILE", "https_proxy", "no_proxy")
_ENTER: Final = """
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind /etc/ssl/certs "$root/etc/ssl/certs"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class Image:
    """What a container of an image is started from."""

    name: str
    root: Path
    environment: dict[str, str]
    folder: str
    command: list[str]
    health_command: list[str]


def make_base() -> Path:
    """Debian bookworm with this Python in /usr/local, as the image python:3.11-slim-bookworm has it."""
    base = PLACE / "base"
    if base.exists():
        return base
    if sys.version_info[:2] != (3, 11) or sys.base_prefix == "/usr":
        raise SystemExit("needs a Python 3.11 with a prefix of its own (pyenv's, or that of the image), not Debian's")
    PLACE.mkdir(parents=True, exist_ok=True)
    unfinished = PLACE / "base.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    _call("mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", "bookworm", str(unfinished))
    _install_python(unfinished / "usr" / "local")
    (unfinished / "etc" / "resolv.conf").touch()
    _call("chroot", str(unfinished), "/sbin/ldconfig")
    return unfinished.rename(base)


def _install_python(target: Path) -> None:
    prefix = Path(sys.base_prefix)
    kept = shutil.ignore_patterns("__pycache__", "test", "tests", "config-3.11*", "site-packages", "idlelib", "tkinter")
    shutil.copytree(prefix / "lib" / "python3.11", target / "lib" / "python3.11", ignore=kept)
    packages = Path("lib", "python3.11", "site-packages")
    for pattern in ("pip", "pip-*", "setuptools", "setuptools-*"):
        for path in (prefix / packages).glob(pattern):
            shutil.copytree(path, target / packages / path.name)
    for library in prefix.glob("lib/libpython3*.so*"):
        shutil.copy(library, target / "lib")
    shutil.copy(prefix / "bin" / "python3.11", target / "bin")
    for name in ("python", "python3"):
        (target / "bin" / name).symlink_to("python3.11")


def image_of(name: str, path: Path) -> Image | None:
    """What `build` makes of a Dockerfile; None when its base is none that can be had here."""
    stages = read_dockerfile(path)
    if not stages[0].base.startswith(_PYTHON_IMAGE):
        return None
    last = stages[-1]
    environment = {"PATH": _PATH}
    environment.update(last.pairs("ENV", environment))
    command = last.words("ENTRYPOINT") + last.words("CMD")
    return Image(name, PLACE / name / "image", environment, last.values("WORKDIR")[-1], command, last.health_command)


def build(name: str, path: Path) -> None:
    """Execute every stage of a Dockerfile in a root of its own."""
    made: dict[str, _Made] = {}
    for stage in read_dockerfile(path):
        base = made.get(stage.base) or _Made(name, make_base(), {"PATH": _PATH}, "/")
        root = PLACE / name / (stage.name or "image")
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        _call("cp", "--archive", "--reflink=auto", str(base.root), str(root))
        made[stage.name] = _Made(name, root, dict(base.environment), base.folder)
        made[stage.name].execute(stage, made)


@dataclass(slots=True)
class _Made:
    """A stage, as far as it has been executed."""

    name: str
    root: Path
    environment: dict[str, str]
    folder: str

    def execute(self, stage: Stage, others: Mapping[str, _Made]) -> None:
        """Every instruction that changes the root, or how the next ones run."""
        for instruction in stage.instructions:
            value = instruction.value
            match instruction.keyword:
                case "ENV":
                    alone = Stage("", "", (instruction,))
                    self.environment.update(alone.pairs("ENV", self.environment))
                case "WORKDIR":
                    self.folder = value
                    self._inside(value).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(value, others)
                case "RUN":
                    self._run(value)

    def _inside(self, path: str) -> Path:
        return self.root / Path(self.folder, path).relative_to("/")

    def _copy(self, value: str, others: Mapping[str, _Made]) -> None:
        *sources, target = value.split()
        place = self._inside(target)
        if sources[0].startswith("--from="):
            stage = others[sources.pop(0).removeprefix("--from=")].root
            place.parent.mkdir(parents=True, exist_ok=True)
            _call("cp", "--archive", str(stage / sources[0].removeprefix("/")), str(place))
            return
        context = list(sent_files(ROOT, read_patterns(ROOT / ".dockerignore")))
        for source in sources:
            files = [path for path in context if path == source or path.startswith(f"{source}/")]
            if not files:
                raise SystemExit(f"{self.name}: COPY {source}: .dockerignore keeps it out, or it is not there")
            for path in files:
                inner = path.removeprefix(source).removeprefix("/")
                file = place / inner if inner else place / Path(source).name if target.endswith("/") else place
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, file)

    def _run(self, command: str) -> None:
        network = {name: value for name in _NETWORK if (value := os.getenv(name))}  # noqa: TID251  # no setting of ours
        given = [f"{name}={value}" for name, value in {**self.environment, **network}.items()]
        inside = ["/usr/bin/env", "-i", f"--chdir={self.folder}", *given, "/bin/sh", "-c", command]
        began = time.monotonic()
        enter = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-ec", _ENTER, "sh")
        _call(*enter, str(self.root), *inside)
        sys.stdout.write(f"{self.name}: {time.monotonic() - began:5.0f} s  RUN {command[:90]} ...\n")
        sys.stdout.flush()


def _call(*command: str) -> None:
    """Run a program; its output is shown when it fails, and ends this one."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_RUN_SECONDS, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-4000:]}\nexit code {done.returncode}")
