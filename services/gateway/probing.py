"""Looks into uploads in a process of its own: FFmpeg meets the files of strangers, and numpy stays out of the api."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from services.errors import ChorusError, ErrorKind

_log = logging.getLogger(__name__)

_PROBE_SECONDS: Final = 60.0
_THUMBNAIL_SIDE: Final = 480


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What an uploaded file is."""

    kind: str
    """video, audio or still"""
    seconds: float
    has_audio: bool
    width: int | None = None
    height: int | None = None
    frame_rate: str | None = None
    """An exact fraction, as in 30000/1001"""


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
            message = f"{name} cannot be read: it is damaged, or of a kind that FFmpeg does not know"
            raise ChorusError(ErrorKind.INVALID_INPUT, message) from error
        if "failed" in answer:
            raise ChorusError(ErrorKind(answer["failed"]["kind"]), answer["failed"]["message"])
        return MediaFacts(**answer["found"])


def main() -> None:
    """The child, `python -m services.gateway.probing`: says what the file named on stdin is, or why it is refused."""
    # Only here: importing it loads FFmpeg and numpy.
    from services.media import probe

    request = json.load(sys.stdin)
    path, name = Path(request["path"]), request["name"]
    try:
        info = probe(path, name=name)
        if info.video is not None:
            _write_thumbnail(path, name, Path(request["thumbnail"]))
    except ChorusError as error:
        answer = {"failed": {"kind": error.kind.value, "message": error.message}}
    else:
        shape = info.video
        facts = MediaFacts(
            kind=info.kind,
            seconds=float(info.seconds),
            has_audio=info.has_audio,
            width=shape.width if shape else None,
            height=shape.height if shape else None,
            frame_rate=str(shape.frame_rate) if shape else None,
        )
        answer = {"found": asdict(facts)}
    sys.stdout.write(json.dumps(answer))


def _write_thumbnail(path: Path, name: str, output: Path) -> None:
    from services.media import Extend, open_clip, read_frames, write_poster

    for frame in read_frames(open_clip(path, name=name), 1, Extend.CUT):
        write_poster(output, frame, side=_THUMBNAIL_SIDE)


if __name__ == "__main__":
    main()
