"""Errands at the model repository, each done by a child that does not outlive this process (importing/errand.py)."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from services.errors import ChorusError, ErrorKind, error_from_json
from services.folders import lock_file
from services.jobs.imported import LOCK, drafts_of
from services.parent_death import dying_with_us
from services.tls.identity import ClientTls

_COMMAND: Final = (sys.executable, "-m", "services.importing.errand")
_LOOK_SECONDS: Final = 0.5
# The importer gives the file 900 s, and Triton gets 120 s more to load it.
_SECONDS: Final = 1200.0
_STOP_SECONDS: Final = 10.0
_LINE_BYTES: Final = 64 << 10


class ErrandCancelledError(Exception):
    """Whoever watched an errand has called it off."""


class ModelRepository:
    """The folder of imported families, and the Triton that serves it."""

    def __init__(self, folder: Path | None, *, triton: str, tls: ClientTls | None, allowed: bool) -> None:
        """`folder`: none where this process has none; `allowed`: whether admins may change it through a door."""
        self._folder = folder
        self._triton = triton
        self._tls = tls
        self._allowed = allowed

    def check(self) -> Path:
        """The folder; FORBIDDEN or CONFLICT says in words why nothing can be imported or removed from here."""
        if not self._allowed:
            raise ChorusError(ErrorKind.FORBIDDEN, "import-switched-off")
        if self._folder is None:
            raise ChorusError(ErrorKind.CONFLICT, "import-no-folder")
        folder = self._folder.absolute()
        # Families are put together beside it, and moved into it as a whole.
        for place in (folder, folder.parent):
            there = next(each for each in (place, *place.parents) if each.exists())
            if not os.access(there, os.W_OK | os.X_OK):
                raise ChorusError(ErrorKind.CONFLICT, "import-folder-closed", folder=str(place))
        return folder

    def run(self, what: str, keep_on: Callable[[str], bool] = lambda _: True, **details: object) -> dict[str, Any]:
        """What the child says of an errand; call it from a thread that lives as long, for the child ends with that.

        `keep_on` is asked twice a second with the stage that the errand is at, and empty before its first: False
        calls it off (ErrandCancelledError). Other errors are the child's, or INTERNAL when it was killed.
        """
        tls = () if self._tls is None else (self._tls.authorities, self._tls.certificate, self._tls.key)
        errand = {
            "what": what,
            "repository": str(self.check()),
            "triton": self._triton,
            "tls": [path and str(path) for path in tls],
            **details,
        }
        with subprocess.Popen(
            dying_with_us(_COMMAND), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        ) as child:
            try:
                return _result(child, json.dumps(errand).encode(), keep_on)
            finally:
                _end(child)

    def is_busy(self) -> bool:
        """True while an import or a removal is at work in the folder, of whichever process and machine."""
        lock = drafts_of(self.check()) / LOCK
        if not lock.exists():
            return False
        try:
            lock_file(lock, ChorusError(ErrorKind.CONFLICT, "import-busy", folder=str(lock.parent))).close()
        except ChorusError:
            return True
        return False

    def sweep(self) -> None:
        """Remove what killed imports have left beside the folder, unless one is at work there."""
        with suppress(ChorusError):
            if any(drafts_of(self.check()).glob("draft-*")):
                self.run("sweep")


def _result(child: subprocess.Popen[bytes], errand: bytes, keep_on: Callable[[str], bool]) -> dict[str, Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(BrokenPipeError):  # it has died already, which its end says
        child.stdin.write(errand)
        child.stdin.close()
    end, stage = time.monotonic() + _SECONDS, ""
    while time.monotonic() < end:
        if select.select([child.stdout], [], [], _LOOK_SECONDS)[0]:
            said = _parsed(child.stdout.readline(_LINE_BYTES))
            if "succeeded" in said:
                return dict(said["succeeded"])
            if "failed" in said:
                raise error_from_json(said["failed"])
            stage = str(said["stage"])
        if not keep_on(stage):
            raise ErrandCancelledError
    raise ChorusError(ErrorKind.DEADLINE, "import-too-slow", seconds=_SECONDS)


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:  # empty: it has died
        raise ChorusError(ErrorKind.INTERNAL, "import-broke-off") from None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
