"""What a painted mouth does to the picture round it, measured frame by frame against the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.render.families.imported.mask import LIPS, LOWER_FACE
from tests.quality.mouth_measures import mouth_frame

Plane = NDArray[np.float32]
_EDGE: Final = 0.04
"""Eye distances on both sides of the lower face's outline that count as its edge"""
_BEYOND: Final = 0.12
"""... from which on nothing may change: the chin goes that far down with a jaw that opens"""
_MOVES: Final = 0.10
"""... round the lips in which skin moves with them"""


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one video; luma in levels of 255."""

    outside_changed: float
    """Share of the samples outside the lower face that differ from the source at all"""
    seam: float
    """95th percentile, along the edge, of the step from one pixel to the next that is not the source's own"""
    own_step: float
    """... and of the source's own steps there"""
    flicker: float
    """Mean change of the edge from one frame to the next, beyond what the source changes there"""
    own_flicker: float
    """... and the source's own"""
    sharpness: float
    """Detail of the skin between lips and edge, times the source's"""


def measure(source: Sequence[Plane], made: Sequence[Plane], faces: Sequence[NDArray[np.float32]]) -> Measures:
    """Luma planes of both videos, and (478, 3) landmarks of the source's frames."""
    outside, seams, own_steps, flickers, own_flickers, sharp, own_sharp = (list[float]() for _ in range(7))
    before: tuple[Plane, Plane] | None = None
    for shown, painted, face in zip(source, made, faces, strict=True):
        unit = mouth_frame(face)[0]
        distance = _distance(face, LOWER_FACE, shown.shape)
        edge, skin = np.abs(distance) < _EDGE * unit, distance < -2 * _EDGE * unit
        skin &= _distance(face, LIPS, shown.shape) > _MOVES * unit
        difference = painted - shown
        outside.append(float((difference[distance > _BEYOND * unit] != 0).mean()))
        seams.append(float(np.percentile(_steps(difference)[edge], 95)))
        own_steps.append(float(np.percentile(_steps(shown)[edge], 95)))
        sharp.append(float(cv2.Laplacian(painted, cv2.CV_32F)[skin].std()))
        own_sharp.append(float(cv2.Laplacian(shown, cv2.CV_32F)[skin].std()))
        if before is not None:
            flickers.append(float(np.abs(difference - before[0])[edge].mean()))
            own_flickers.append(float(np.abs(shown - before[1])[edge].mean()))
        before = difference, shown
    return Measures(
        outside_changed=float(np.mean(outside)),
        seam=float(np.mean(seams)),
        own_step=float(np.mean(own_steps)),
        flicker=float(np.mean(flickers)),
        own_flicker=float(np.mean(own_flickers)),
        sharpness=float(np.sum(sharp) / np.sum(own_sharp)),
    )


def pasted(frame: NDArray[np.uint8], painted: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """As Wav2Lip lays its square into (left, top, right, bottom) of an RGB frame: enlarged, with no mask."""
    left, top, right, bottom = box
    laid = frame.copy()
    laid[top:bottom, left:right] = cv2.resize(painted, (right - left, bottom - top))
    return laid


def box_of(face: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a detector says of a face; 10 more below, as Wav2Lip pads it."""
    low, high = face[:, :2].min(axis=0), face[:, :2].max(axis=0)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1]) + 10


def _distance(face: NDArray[np.float32], points: Sequence[int], shape: tuple[int, ...]) -> Plane:
    """Pixels from the outline of these points, negative inside."""
    inside = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(face[list(points), :2]).astype(np.int32)), 1)
    out, within = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (1 - inside, inside))
    return np.asarray(out - within, np.float32)


def _steps(plane: NDArray[Any]) -> Plane:
    """The larger of the steps to the right and downwards."""
    across = np.diff(plane, axis=1, append=plane[:, -1:])
    down = np.diff(plane, axis=0, append=plane[-1:])
    return np.asarray(np.maximum(np.abs(across), np.abs(down)), np.float32)
