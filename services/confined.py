"""What a process that reads the files of strangers may take of its machine, whatever the files say of themselves."""

from __future__ import annotations

import resource
from typing import Final

FILE_MEMORY_BYTES: Final = 4 << 30
"""What reading one file may take: as much as the largest photo with 8 bits does"""


def confine(memory_bytes: int, file_bytes: int | None = None, cpu_seconds: int | None = None) -> None:
    """Bound this process for good: its private memory, each file that it writes, its CPU time; and no core dumps.

    What needs more memory raises MemoryError, or the process dies of it; more CPU time kills it.
    """
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
