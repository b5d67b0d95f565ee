"""One rendered clip against its source, read once from end to end: the series that the table is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Clip, Extend, Frame, open_clip, read_frames
from tests.quality import pixel_measures as pixels
from tests.quality.face_meter import FaceMeter
from tests.quality.mouth_measures import Series
from tests.quality.onnx_models import OnnxModels
from tests.quality.pixel_measures import Image

_SHOWN = 10
"""Columns of the contact sheet"""
_SHOWN_HEIGHT = 360


@dataclass(slots=True)
class MeasuredClip:
    """What was seen on the frames of one output and of the source frames behind them; NaN where a face is missing."""

    source: Clip
    output: Clip
    source_landmarks: NDArray[np.float32]
    """(n, 478, 3)"""
    landmarks: NDArray[np.float32]
    """(n, 478, 3) measured on the output"""
    squared_errors: Series
    """(n,) mean squared difference of the luma outside the lower face"""
    sharpness: Series
    """(n,) round the mouth, output over source"""
    inside: Series
    """(n,) share of the mouth's box that shows the inside of the mouth"""
    close_ups: list[tuple[Image, Image]] = field(default_factory=list)
    """The mouth in the source and in the output, one pair a frame with a face"""
    shown: list[tuple[Image, Image]] = field(default_factory=list)
    """Whole frames, spread evenly"""


def pairs(source: Clip, output: Clip) -> Iterator[tuple[Frame, Frame]]:
    """Every frame of the output behind the frame of the source that it was made from."""
    return zip(
        read_frames(source, output.frames, Extend.PINGPONG),
        read_frames(output, output.frames, Extend.CUT),
        strict=True,
    )


def measured_clip(
    source_path: Path, output_path: Path, models: OnnxModels, heads: NDArray[np.float32] | None = None
) -> MeasuredClip:
    """Read both videos and measure every frame; the face in the source tells where to look for unchanged pixels.

    `heads` (n, 478, 3) tell where the close-ups are cut; None: where the source's mouth is, which moves if it talks.
    """
    source, output = open_clip(source_path, name=source_path.name), open_clip(output_path, name=output_path.name)
    faces = np.full((2, output.frames, 478, 3), np.nan, np.float32)
    numbers = np.full((3, output.frames), np.nan)
    measured = MeasuredClip(source, output, faces[0], faces[1], *numbers)
    shown = set(np.linspace(0, output.frames - 1, _SHOWN + 2).astype(int)[1:-1].tolist())
    of_source, of_output = FaceMeter(models), FaceMeter(models)
    for index, (before, after) in enumerate(pairs(source, output)):
        faces[:, index] = of_source.measure(before), of_output.measure(after)
        if not np.isnan(faces[:, index]).any():
            _compare(measured, index, before, after, faces[0, index] if heads is None else heads[index])
            if index in shown:
                measured.shown.append((_small(before), _small(after)))
    return measured


def beside(measured: MeasuredClip, other: MeasuredClip) -> MeasuredClip:
    """`measured` with the source of `other`: the same head, but for the mouth that talks in the own source."""
    close_ups = [(before, after) for (before, _), (_, after) in zip(other.close_ups, measured.close_ups, strict=True)]
    return replace(measured, source_landmarks=other.source_landmarks, close_ups=close_ups)


def _compare(measured: MeasuredClip, index: int, before: Frame, after: Frame, head: NDArray[np.float32]) -> None:
    faces = measured.source_landmarks[index], measured.landmarks[index]
    lumas = _luma(before), _luma(after)
    difference = lumas[0].astype(np.int32) - lumas[1]
    outside = pixels.outside_lower_face(difference.shape, faces[0])
    measured.squared_errors[index] = (difference[outside] ** 2).mean()
    # The skin moves with the jaw, so each is looked at where it is.
    sharpness = [pixels.mouth_sharpness(luma, face) for luma, face in zip(lumas, faces, strict=True)]
    measured.sharpness[index] = sharpness[1] / sharpness[0]
    close_ups = pixels.mouth_close_up(before.rgb(), head), pixels.mouth_close_up(after.rgb(), head)
    measured.inside[index] = pixels.visible_inside(close_ups[1])
    measured.close_ups.append(close_ups)


def _small(frame: Frame) -> Image:
    scale = min(1.0, _SHOWN_HEIGHT / frame.height)
    size = round(frame.width * scale), round(frame.height * scale)
    return np.asarray(cv2.resize(frame.rgb(), size, interpolation=cv2.INTER_AREA), np.uint8)


def _luma(frame: Frame) -> Image:
    return np.asarray(frame.y >> (frame.bit_depth - 8), np.uint8)
