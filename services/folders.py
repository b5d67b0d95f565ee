"""The folders that a process keeps its files in: making them, and having them for itself."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path
from typing import TextIO

from services.errors import ChorusError, ErrorKind


def make_folder(folder: Path, *, private: bool = False) -> None:
    """Make it and what is above it, unless it is there; `private`: nobody else may look into it, also where it was.

    STORAGE_FULL or INVALID_INPUT says why it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
        if private and folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise folder_error(folder, error) from error


def folder_error(folder: Path, error: OSError) -> ChorusError:
    """What to tell when nothing can be made in a folder: a full disk, or a place that may not be written to."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ChorusError(ErrorKind.STORAGE_FULL, "storage-full", name=str(folder))
    reason = error.strerror or repr(error)
    return ChorusError(ErrorKind.INVALID_INPUT, "folder-not-made", folder=str(folder), reason=reason)


def lock_file(path: Path, taken: ChorusError) -> TextIO:
    """Hold `path` for this process alone until the returned file is closed; raises `taken` when another has it."""
    make_folder(path.parent)
    try:
        file = path.open("w")
    except OSError as error:
        raise folder_error(path.parent, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise taken from None
    return file
