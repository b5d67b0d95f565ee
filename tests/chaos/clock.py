"""A wall clock that jumps, for the processes of one stack: skewed_clock.c, and the file by which it is moved.

Not libfaketime: Python 3.11 sleeps until a moment of the monotonic clock, which 0.9.10, the one of Debian 12 and of
PyPI's wheel, takes for one of the clock that it moves (its issue 426).
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("skewed_clock.c")


@dataclass(frozen=True, slots=True)
class Clock:
    """Moves the clocks of all processes that were started with `environment`, at once."""

    environment: Mapping[str, str]
    _file: Path

    def move(self, seconds: float) -> None:
        """So far from the true time, from now on."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", round(seconds * 1e9)))


def make_clock(folder: Path) -> Clock | str:
    """A clock that is right so far; or why this machine makes none."""
    if (compiler := shutil.which("cc")) is None:
        return "there is no C compiler `cc` (Debian: apt install gcc libc6-dev)"
    library, file = folder / "skewed_clock.so", folder / "clock"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        return f"the clock cannot be compiled: {made.stderr}"
    file.write_bytes(bytes(8))
    return Clock({"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(file)}, file)
