"""Starts processes of images as a container engine would: a root to read, a user without rights, /scratch to write."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from scripts.images.roots import Image

USER: Final = 10001
_EXECUTE_SECONDS: Final = 30
_STOP_SECONDS: Final = 10
"""What Docker waits before it kills"""
_ENTER: Final = """
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o size=1g tmpfs "$root/dev/shm"
mount -t tmpfs -o size=4g,uid=10001,gid=10001,mode=0700 tmpfs "$root/scratch"
exec chroot "$root" "$@"
"""
_CLOSED: Final = ("", "/opt", "/usr/local", "/var/log")
_BECOME: Final = (
    *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"),
    *("--bounding-set=-all", "--inh-caps=-all"),
)


@dataclass(frozen=True, slots=True)
class Container:
    """A running one."""

    image: Image
    starter: subprocess.Popen[bytes]
    environment: tuple[str, ...]
    log: Path

    @property
    def process(self) -> psutil.Process:
        """Its first process."""
        return psutil.Process(self.starter.pid).children()[0]

    def execute(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        """Run a program in it, as its user."""
        enter = ("nsenter", f"--target={self.process.pid}", "--mount", "--pid", "--root")
        inside = (*enter, *_BECOME, "/usr/bin/env", "-i", *self.environment, *command)
        return subprocess.run(inside, capture_output=True, timeout=_EXECUTE_SECONDS, check=False)

    def is_healthy(self) -> bool:
        """What the image's health check says."""
        return self.execute(*self.image.health_command).returncode == 0

    def wait_until_healthy(self, seconds: float) -> float:
        """How long it took; SystemExit with the log's end when it does not come, or the process ends."""
        began = time.monotonic()
        while self.starter.poll() is None and time.monotonic() < began + seconds:
            time.sleep(1)
            if psutil.Process(self.starter.pid).children() and self.is_healthy():
                return time.monotonic() - began
        raise SystemExit(f"{self.image.name} is not healthy\n{self.log.read_text()[-4000:]}")

    def memory(self) -> int:
        """Bytes that all its processes have for themselves (shared pages by their share)."""
        first = self.process
        return sum(process.memory_full_info().pss for process in (first, *first.children(recursive=True)))

    def can_write(self) -> list[str]:
        """Those of some folders outside /scratch in which it can make a file: none, if it is closed as it should be."""
        return [place for place in _CLOSED if self.execute("touch", f"{place}/x").returncode == 0]

    def stop(self) -> int:
        """The exit code after SIGTERM; SystemExit when it does not end in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.starter.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{self.image.name} does not stop\n{self.log.read_text()[-2000:]}") from None


def start(image: Image, given: Mapping[str, str], names: Mapping[str, str], log: Path) -> Container:
    """A container with the variables `given`; `names` are other containers' names and their addresses."""
    hosts = "".join(f"{address} {name}\n" for name, address in names.items())
    (image.root / "etc" / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
    pairs = tuple(f"{name}={value}" for name, value in {**image.environment, **given}.items())
    inside = (*_BECOME, "/usr/bin/env", "-i", f"--chdir={image.folder}", *pairs, *image.command)
    enter = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-ec", _ENTER, "sh")
    with log.open("wb") as output:
        starter = subprocess.Popen([*enter, str(image.root), *inside], stdout=output, stderr=subprocess.STDOUT)
    return Container(image, starter, pairs, log)
