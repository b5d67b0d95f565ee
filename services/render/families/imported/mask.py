"""Where the painted mouth shows: soft masks from landmarks, zero outside the lower face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import CropBox

LOWER_FACE: Final = (2, 98, 327, 205, 425, 192, 416, 135, 364, 169, 394, 140, 369, 171, 396, 175, 152)
"""From under the nose over the cheeks to the chin, on both sides"""
LIPS: Final = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)
_SIDE: Final = 160
"""Pixels of the grid that masks are drawn on: they are smooth"""
_FADE: Final = 0.022
"""Deviation of the lower face's edge, of the crop's side"""
_CHIN: Final = 0.02
"""Of the side: how far below the chin a jaw that opens may go"""
_RAMP: Final = 8
"""Pixels of the grid over which it begins at the upper edge of what is painted"""
_LIP_MARGIN: Final = 0.025
"""Of the side: how far round the lips their own skin moves with them"""


@dataclass(frozen=True, slots=True)
class Masks:
    """Of one face, as shares 0..1 on a grid of 160 steps a crop, over the part that is painted."""

    face: NDArray[np.float32]
    """How much of the net's picture to show"""
    lips: NDArray[np.float32]
    """Where the source's own detail is that of another mouth"""


def masks_of(landmarks: NDArray[np.float32], rest: NDArray[np.float32], side: int, painted: CropBox) -> Masks:
    """The masks of a face from its (478, 3) landmarks and those at rest, in pixels of a crop of `side`.

    They lie over `painted`, whose edges are on steps of the grid.
    """
    scale = _SIDE / side
    both = np.concatenate([landmarks, rest])[:, :2] * scale
    count = len(landmarks)
    outline = both[[*LOWER_FACE, *(count + point for point in LOWER_FACE)]]
    chin = outline[outline[:, 1].argmax()] + (0, _CHIN * _SIDE)
    filled = _filled(np.vstack([outline, chin]))
    blurred = cv2.GaussianBlur(filled, (0, 0), _FADE * _SIDE, borderType=cv2.BORDER_CONSTANT)
    # The outer half of the blur is cut off, so that nothing shows beyond the outline.
    share = np.clip((blurred - 0.5) * 2, 0, 1)
    face = (share * share * (3 - 2 * share)).astype(np.float32)
    left, top, right, bottom = (round(edge * scale) for edge in painted)
    # Where a head is bent the outline may begin above what the net paints.
    face[top : top + _RAMP] *= np.linspace(0, 1, _RAMP, dtype=np.float32)[:, None]
    lips = _filled(both[[*LIPS, *(count + point for point in LIPS)]])
    margin = 2 * round(_LIP_MARGIN * _SIDE) + 1
    wide = cv2.dilate(lips, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (margin, margin)))
    lips = np.asarray(cv2.GaussianBlur(wide, (0, 0), _FADE * _SIDE / 2), np.float32)
    return Masks(face[top:bottom, left:right], lips[top:bottom, left:right])


def _filled(points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """1 inside the convex outline of the points."""
    picture = np.zeros((_SIDE, _SIDE), np.float32)
    outline = cv2.convexHull(np.rint((points - 0.5) * 16).astype(np.int32))
    cv2.fillConvexPoly(picture, outline, 1.0, lineType=cv2.LINE_8, shift=4)
    return picture
