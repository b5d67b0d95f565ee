"""A small disk of its own for one stack, in namespaces of Linux: who is not root may mount there, too."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_MIB = 512
_PIECE = bytes(1 << 20)
# Also its own shared memory, so that what is left there is this stack's.
_MOUNT = f'mount -t tmpfs -o size={_MIB}m,mode=700 none "$0" && mount -t tmpfs none /dev/shm && exec "$@"'


def on_own_disk(folder: Path) -> Sequence[str] | str:
    """What goes before a command so that it has an empty disk at `folder`; or why this machine allows none."""
    words = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, str(folder))
    try:
        tried = subprocess.run([*words, "true"], capture_output=True, text=True, check=False, timeout=30)
    except OSError as error:
        return str(error)
    return f"no mount in a namespace of one's own: {tried.stderr.strip()}" if tried.returncode else words


def seen_from_outside(path: Path, process_id: int) -> Path:
    """What the process has at `path`."""
    return Path(f"/proc/{process_id}/root", *path.parts[1:])


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """No byte more fits on the disk of `folder` until the block ends."""
    plug = folder / "plug"
    try:
        with plug.open("wb", buffering=0) as file:
            for size in (len(_PIECE), 4096, 1):
                _write_until_full(file.fileno(), _PIECE[:size])
        yield
    finally:
        plug.unlink(missing_ok=True)


def _write_until_full(file: int, piece: bytes) -> None:
    try:
        while os.write(file, piece):
            pass
    except OSError:  # that is what was wanted
        return
