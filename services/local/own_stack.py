"""A stack for the time of one command: the running one when there is one, else one of its own on free ports."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from services.errors import ChorusError, ErrorKind
from services.local.run_file import RunningStack, await_running, find_running
from services.local.settings import Folders, LocalSettings, child_environment
from services.parent_death import dying_with_us
from services.triton import PLAN_SECONDS

# With the time that TensorRT may make plans in.
_START_SECONDS = 180.0 + PLAN_SECONDS
_STOP_SECONDS = 20.0


@contextmanager
def usable_stack(settings: LocalSettings, report: Callable[[str], None]) -> Iterator[RunningStack]:
    """A ready stack; UNAVAILABLE, with what `chorus up` said, when it does not start."""
    if (running := await_running(settings.folders, _START_SECONDS)) is not None:
        yield running
        return
    report("Starting Chorus for this run; `chorus up` keeps it running for the next ones")
    with TemporaryFile() as output:
        process = subprocess.Popen(
            dying_with_us([sys.executable, "-m", "services.cli.main", "up", "--port", "0"], signal.SIGTERM),
            env=child_environment({}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is ours: the batch is cancelled first, then the stack is stopped.
            start_new_session=True,
        )
        try:
            yield _wait_until_ready(settings.folders, process, output)
        finally:
            _stop(process)


def _wait_until_ready(folders: Folders, process: subprocess.Popen[bytes], output: IO[bytes]) -> RunningStack:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        stack = find_running(folders)
        if stack is not None and stack.pid == process.pid:
            return stack
        time.sleep(0.1)
    output.seek(0)
    said = output.read().decode(errors="replace").strip()
    raise ChorusError(ErrorKind.UNAVAILABLE, "stack-not-started", output=said)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
