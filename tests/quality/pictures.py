"""What a person looks at after a measurement: contact sheets and side-by-side videos in outputs/quality/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from scripts.contact_sheet import tiled, write_picture
from services.media import Frame, write_video
from services.media.colour import Samples
from tests.quality.measured_clip import MeasuredClip, pairs

_HEIGHT = 180
"""Of each picture of a sheet, pixels"""
_CLOSE_UPS = 40
_ROW = 10


def write_sheets(folder: Path, name: str, measured: MeasuredClip) -> None:
    """NAME.frames.jpg: source above output. NAME.mouths.jpg: the mouth on frames spread evenly, source above output."""
    whole = [[before for before, _ in measured.shown], [after for _, after in measured.shown]]
    write_picture(folder / f"{name}.frames.jpg", tiled(whole, _HEIGHT))
    spread = np.linspace(0, len(measured.close_ups) - 1, _CLOSE_UPS).astype(int)
    mouths = [measured.close_ups[index] for index in spread]
    rows = []
    for start in range(0, _CLOSE_UPS, _ROW):
        part = mouths[start : start + _ROW]
        rows += [[before for before, _ in part], [after for _, after in part]]
    write_picture(folder / f"{name}.mouths.jpg", tiled(rows, _HEIGHT))


def write_side_by_side(path: Path, measured: MeasuredClip, audio: Path) -> None:
    """An MP4 with the source on the left and the output on the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clip = replace(measured.output, width=2 * measured.output.width)
    frames = (_joined(before, after) for before, after in pairs(measured.source, measured.output))
    write_video(
        path,
        clip,
        frames,
        audio,
        seconds=measured.output.seconds,
        crf=20,
        preset="veryfast",
        delivery="compatible",
        metadata={},
    )


def _joined(before: Frame, after: Frame) -> Frame:
    planes: Sequence[Samples] = [np.hstack(both) for both in zip(before.planes, after.planes, strict=True)]
    return replace(after, y=planes[0], u=planes[1], v=planes[2])
