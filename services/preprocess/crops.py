"""Cuts square crops out of frames: the affine of a crop, the sampling. Coordinates are continuous (see faces.py)."""

from __future__ import annotations

import math
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import HALVED
from services.preprocess.faces import CropBox, CropSpec, SourceNet, pixel_affine

# A crop side may be this much of what the source offers before the next larger side is taken.
_FULL_DETAIL: Final = 0.91
# Of a crop's side: masks are drawn on 160 steps, and so the middle of a box lies on one of them, too.
_BOX_STEPS: Final = 80


class Picture(Protocol):
    """What a frame must offer to be cropped."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    def rgb_region(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        """(bottom - top, right - left, 3) RGB of the given pixels."""

    def rgb_shrunk(
        self, left: int, top: int, right: int, bottom: int, size: tuple[int, int], *, halving: bool = False
    ) -> NDArray[np.uint8]:
        """(height, width, 3) RGB of the given pixels, reduced to `size` (width, height); see media.Frame."""


def crop_side(spec: CropSpec, eye_distance: float) -> int:
    """The smallest side in pixels that keeps the source's detail, or the largest one."""
    needed = spec.extent * eye_distance
    return next((side for side in spec.sizes if needed <= _FULL_DETAIL * side), spec.sizes[-1])


def resting_face(neutral: NDArray[np.float64], pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """(478, 2) face units: where crops of a track show its resting face, in the middle of its poses (rows, 3, 4).

    A crop takes out how the plane of the mouth is turned; what lies before or behind it, as a nose, stays shifted.
    """
    shifts = np.linalg.solve(pose[:, :2, :2], pose[:, :2, 2:3])[:, :, 0]
    return np.asarray(neutral[:, :2] + neutral[:, 2:] * np.median(shifts, axis=0))


def net_box(net: SourceNet, face: NDArray[np.float64], spec: CropSpec, side: int) -> CropBox:
    """What the net sees of a track's crops; `face` (478, 2) is what they show of it at rest, in face units."""
    outline, middle = face[list(net.outline)], float(face[list(net.middle), 1].mean())
    bottom = float(outline[:, 1].max())
    height = max(2 * (bottom - middle), 0)
    places = (float(outline[:, 0].min()), bottom - height, float(outline[:, 0].max()), bottom + net.below * height)
    corner = (spec.left, spec.top, spec.left, spec.top)
    steps = [round((place - at) / spec.extent * _BOX_STEPS) for place, at in zip(places, corner, strict=True)]
    left, top = (min(max(step, 0), _BOX_STEPS - 1) for step in steps[:2])
    right, bottom_step = (min(max(step, low + 1), _BOX_STEPS) for step, low in zip(steps[2:], (left, top), strict=True))
    return CropBox(*(round(step * side / _BOX_STEPS) for step in (left, top, right, bottom_step)))


def crop_to_frame(face_to_frame: NDArray[np.float64], spec: CropSpec, side: int) -> NDArray[np.float64]:
    """(2, 3) affine crop pixels -> frame pixels, from the (2, 3) affine face units -> frame pixels."""
    scale = spec.extent / side
    linear = face_to_frame[:, :2]
    offset = linear @ np.array([spec.left, spec.top]) + face_to_frame[:, 2]
    return np.column_stack([linear * scale, offset])


def inverse_affine(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) affine that undoes `affine`."""
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack([linear, -linear @ affine[:, 2]])


def cut(
    picture: Picture, to_frame: NDArray[np.float64], side: int, interpolation: int = cv2.INTER_CUBIC
) -> NDArray[np.uint8]:
    """(side, side, 3) RGB of the square that `to_frame` (crop -> frame) marks; edge pixels go on outside the frame."""
    left, top, right, bottom = _covered(to_frame, side, picture.width, picture.height)
    return cut_region(picture.rgb_region(left, top, right, bottom), (left, top), to_frame, side, interpolation)


def cut_region(
    region: NDArray[np.uint8],
    origin: tuple[float, float],
    to_frame: NDArray[np.float64],
    side: int,
    interpolation: int = cv2.INTER_CUBIC,
) -> NDArray[np.uint8]:
    """As `cut`, from an RGB `region` of the frame whose top left corner lies at `origin`."""
    shifted = to_frame.copy()
    shifted[:, 2] -= origin
    warped = cv2.warpAffine(
        region,
        pixel_affine(shifted),
        (side, side),
        flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(warped, dtype=np.uint8)


def box_round(low: NDArray[np.floating], high: NDArray[np.floating], picture: Picture) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the box of pixels between two corners (x, y), as is shrunk fastest.

    Its corner is even, its sides are multiples of HALVED; at the frame's edge up to seven pixels of it are left out.
    """
    left, right = _round(low[0], high[0], picture.width)
    top, bottom = _round(low[1], high[1], picture.height)
    return left, top, right, bottom


def _round(low: float, high: float, size: int) -> tuple[int, int]:
    first = math.floor(min(max(low, 0), size - HALVED)) // 2 * 2
    side = math.ceil((min(max(high, first + 1), size) - first) / HALVED) * HALVED
    return first, first + min(side, (size - first) // HALVED * HALVED)


def _covered(to_frame: NDArray[np.float64], side: int, width: int, height: int) -> tuple[int, int, int, int]:
    """The pixels of the frame that the crop can touch: left, top, right, bottom; never empty."""
    corners = to_frame[:, :2] @ np.array([[0, side, 0, side], [0, 0, side, side]]) + to_frame[:, 2:]
    # Cubic sampling reaches two pixels beyond.
    low, high = np.floor(corners.min(axis=1)) - 2, np.ceil(corners.max(axis=1)) + 2
    left, right = _clipped(low[0], high[0], width)
    top, bottom = _clipped(low[1], high[1], height)
    return left, top, right, bottom


def _clipped(low: float, high: float, size: int) -> tuple[int, int]:
    start = int(np.clip(low, 0, size - 1))
    return start, int(np.clip(high, start + 1, size))
