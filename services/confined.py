"""What a process that reads the files of strangers may take of its machine, whatever the files say of themselves."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

_FIRST_TO_GO: Final = Path("/proc/self/oom_score_adj")
FILE_MEMORY_BYTES: Final = 4 << 30
"""What reading one file may take: as much as the largest photo with 8 bits does"""


def confine(memory_bytes: int, file_bytes: int | None = None, cpu_seconds: int | None = None) -> None:
    """Bound this process for good: its private memory, each file that it writes, its CPU time; and no core dumps.

    What needs more memory raises MemoryError, or the process dies of it; more CPU time kills it. When the machine has
    no memory left, the kernel ends this process before others.
    """
    with suppress(OSError):  # where /proc is hidden, the kernel chooses by size
        _FIRST_TO_GO.write_text("1000")
    _limit(resource.RLIMIT_DATA, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    if file_bytes is not None:
        _limit(resource.RLIMIT_FSIZE, file_bytes)
    if cpu_seconds is not None:
        _limit(resource.RLIMIT_CPU, cpu_seconds)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))
