"""Runs a command that the kernel signals when its parent dies, even by kill -9: SIGNAL PARENT_PID COMMAND...

A program of its own, because a process with gRPC in it must not run Python between fork and exec: gRPC's own fork
handlers abort the child.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(signal_number: str, parent: str, *command: str) -> None:
    """Become `command`."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal_number))
    if os.getppid() != int(parent):  # it died before the call
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
