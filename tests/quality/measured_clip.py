"""One rendered clip against its source, read once from end to end: the series that the table is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.media import Clip, Extend, Frame, open_clip, read_frames
from tests.quality import mouth_measures as measure
from tests.quality.face_meter import FaceMeter
from tests.quality.mouth_measures import Image
from tests.quality.onnx_models import OnnxModels

_SHOWN = 10
"""Columns of the contact sheet"""


@dataclass(slots=True)
class MeasuredClip:
    """What was seen on the frames of one output and of the source frames behind them."""

    source: Clip
    output: Clip
    landmarks: NDArray[np.float32]
    """(n, 478, 3) measured on the output, NaN where no face was found"""
    squared_errors: list[float] = field(default_factory=list)
    """Mean squared difference of the luma outside the lower face, one a frame"""
    sharpness: list[tuple[float, float]] = field(default_factory=list)
    """Of the chin in the source and in the output, one pair a frame"""
    close_ups: list[tuple[Image, Image]] = field(default_factory=list)
    """The mouth in the source and in the output, one pair a frame"""
    shown: list[tuple[Image, Image]] = field(default_factory=list)
    """Whole frames, spread evenly"""


def pairs(source: Clip, output: Clip) -> Iterator[tuple[Frame, Frame]]:
    """Every frame of the output behind the frame of the source that it was made from."""
    return zip(
        read_frames(source, output.frames, Extend.PINGPONG),
        read_frames(output, output.frames, Extend.CUT),
        strict=True,
    )


def measured_clip(source_path: Path, output_path: Path, models: OnnxModels) -> MeasuredClip:
    """Read both videos and measure every frame; the face in the source tells where to look for unchanged pixels."""
    source, output = open_clip(source_path, name=source_path.name), open_clip(output_path, name=output_path.name)
    measured = MeasuredClip(source, output, np.full((output.frames, 478, 3), np.nan, np.float32))
    shown = set(np.linspace(0, output.frames - 1, _SHOWN + 2).astype(int)[1:-1].tolist())
    of_source, of_output = FaceMeter(models), FaceMeter(models)
    for index, (before, after) in enumerate(pairs(source, output)):
        measured.landmarks[index] = of_output.measure(after)
        face = of_source.measure(before)
        if np.isnan(face).any() or np.isnan(measured.landmarks[index]).any():
            continue
        _compare(measured, before, after, (face, measured.landmarks[index]))
        if index in shown:
            measured.shown.append((before.rgb(), after.rgb()))
    return measured


def _compare(
    measured: MeasuredClip, before: Frame, after: Frame, faces: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> None:
    lumas = _luma(before), _luma(after)
    difference = lumas[0].astype(np.int32) - lumas[1]
    outside = measure.outside_lower_face(difference.shape, faces[0])
    measured.squared_errors.append(float((difference[outside] ** 2).mean()))
    # The chin moves with the jaw, so each is looked at where it is.
    measured.sharpness.append((measure.chin_sharpness(lumas[0], faces[0]), measure.chin_sharpness(lumas[1], faces[1])))
    close_ups = measure.mouth_close_up(before.rgb(), faces[0]), measure.mouth_close_up(after.rgb(), faces[0])
    measured.close_ups.append(close_ups)


def _luma(frame: Frame) -> Image:
    return np.asarray(frame.y >> (frame.bit_depth - 8), np.uint8)
