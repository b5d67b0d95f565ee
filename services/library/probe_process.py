"""The child of probe.py, `python -m services.library.probe_process`: FFmpeg meets the files of strangers here."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from services.errors import ChorusError, error_to_json
from services.library.facts import MediaFacts
from services.media import Extend, open_clip, probe, read_frames, write_poster

_THUMBNAIL_SIDE: Final = 480


def main() -> None:
    """Says what the file named on stdin is, or why it is refused."""
    request = json.load(sys.stdin)
    path, name = Path(request["path"]), request["name"]
    try:
        info = probe(path, name=name)
        if info.video is not None:
            _write_thumbnail(path, name, Path(request["thumbnail"]))
    except ChorusError as error:
        answer = {"failed": error_to_json(error)}
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
    for frame in read_frames(open_clip(path, name=name), 1, Extend.CUT):
        write_poster(output, frame, side=_THUMBNAIL_SIDE)


if __name__ == "__main__":
    main()
