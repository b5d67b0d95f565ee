"""Children that do not outlive their parent, however it dies; Linux only, elsewhere nothing happens.

As a program it runs a command that the kernel signals when its parent dies: SIGNAL PARENT_PID COMMAND... A program,
because a process with gRPC in it must not run Python between fork and exec: gRPC's own fork handlers abort the child.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def dying_with_us(command: Sequence[str], number: signal.Signals = signal.SIGKILL) -> list[str]:
    """`command` so that its process gets `number` when this one dies; start it from a thread that lives as long."""
    return [sys.executable, "-I", "-S", __file__, str(int(number)), str(os.getpid()), *command]


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Let the kernel send `number` to this process when the thread that started it ends, as it does by kill -9.

    It exits when `parent`, the process id of who started it, is gone already.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit(1)


def main(number: str, parent: str, *command: str) -> None:
    """Become `command`."""
    die_with_parent(int(parent), int(number))
    os.execvp(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
