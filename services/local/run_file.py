"""One stack per state folder: the lock that refuses a second one, and the file that says where the stack listens."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

from services.errors import ChorusError, ErrorKind
from services.folders import folder_error
from services.local.settings import Folders


@dataclass(frozen=True, slots=True)
class RunningStack:
    """The stack that works on a state folder."""

    pid: int
    """Of its supervisor"""
    address: str
    """http://host:port of the page and the REST API, https with a certificate"""
    token: str = ""
    """What a program of this user shows where the stack is locked"""
    certificate: str = ""
    """The file with the certificate that the stack shows"""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """host:port of each process's /metrics, by the name that Prometheus knows it by"""
    down: Mapping[str, str] = field(default_factory=dict)
    """Which processes do not run at the moment, by name, and why"""
    triton: str = ""
    """host:port of Triton, or a name of several"""
    preprocess: str = ""
    """host:port of preprocess"""


@contextmanager
def hold_lock(folders: Folders) -> Iterator[None]:
    """Own the state for the time of the block; CONFLICT when another stack owns it. A killed owner frees it."""
    try:
        lock = (folders.run / "lock").open("w")
    except OSError as error:
        raise folder_error(folders.run, error) from error
    with lock:
        if not _try_lock(lock):
            raise _already_running(folders)
        yield


@contextmanager
def publish(folders: Folders, running: RunningStack) -> Iterator[Callable[[Mapping[str, str]], bool]]:
    """Let find_running see this process's stack for the time of the block; call it under the lock.

    What the block gets takes the place of `running.down` when it is called; False when it could not.
    """

    def update(down: Mapping[str, str]) -> bool:
        try:
            _write(folders, replace(running, down=down))
        except OSError:  # a full disk: the stack runs on
            return False
        return True

    _write(folders, running)
    try:
        yield update
    finally:
        _path(folders).unlink(missing_ok=True)


def _write(folders: Folders, running: RunningStack) -> None:
    path = _path(folders)
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(running)))
    draft.replace(path)


def find_running(folders: Folders) -> RunningStack | None:
    """The stack that owns this state and is ready, or None."""
    try:
        stack = RunningStack(**json.loads(_path(folders).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    # A killed stack leaves its file, but not its lock.
    return stack if _is_owned(folders) else None


def await_running(folders: Folders, seconds: float) -> RunningStack | None:
    """As find_running, but a stack that is just starting gets `seconds` to become ready."""
    deadline = time.monotonic() + seconds
    while (stack := find_running(folders)) is None and _is_owned(folders) and time.monotonic() < deadline:
        time.sleep(0.1)
    return stack


def _is_owned(folders: Folders) -> bool:
    try:
        with (folders.run / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _try_lock(lock: IO[str]) -> bool:
    # More than once: _is_owned holds the lock for a moment when it asks whether somebody has it.
    for _ in range(5):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return True
    return False


def _path(folders: Folders) -> Path:
    return folders.run / "stack.json"


def _already_running(folders: Folders) -> ChorusError:
    stack, folder = find_running(folders), str(folders.data)
    if stack is None:
        return ChorusError(ErrorKind.CONFLICT, "stack-starting-or-stopping", folder=folder)
    return ChorusError(
        ErrorKind.CONFLICT, "stack-already-running", folder=folder, address=stack.address, process=stack.pid
    )
