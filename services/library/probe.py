"""Looks into uploads in a process of its own: FFmpeg meets the files of strangers, and numpy stays out of the api."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.errors import ChorusError, ErrorKind, error_from_json
from services.library.facts import MediaFacts

_log = logging.getLogger(__name__)

_PROBE_SECONDS: Final = 60.0


class Prober:
    """Starts `command` for each file, with a JSON document on stdin and one on stdout."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    def __call__(self, path: Path, *, name: str, thumbnail: Path) -> MediaFacts:
        """What the file is; a ChorusError with its `name` when it cannot be used, also when FFmpeg crashes or hangs.

        A file with pictures leaves its first one as a JPEG at `thumbnail`.
        """
        request = json.dumps({"path": str(path), "name": name, "thumbnail": str(thumbnail)}).encode()
        try:
            child = subprocess.run(
                self._command, input=request, stdout=subprocess.PIPE, timeout=_PROBE_SECONDS, check=False
            )
            answer = json.loads(child.stdout)
        except (subprocess.TimeoutExpired, ValueError) as error:
            _log.warning("the probe of %s ended without an answer: %s", name, error)
            raise ChorusError(ErrorKind.INVALID_INPUT, "probe-failed", name=name) from error
        if "failed" in answer:
            raise error_from_json(answer["failed"])
        return MediaFacts(**answer["found"])
