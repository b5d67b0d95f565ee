"""Where a face's eyes are: the curves of the lids from its landmarks, and whether a blink would look right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame, Range

Array = NDArray[np.floating[Any]]
Points = NDArray[np.float64]

# Landmarks from the image's left to its right.
_UPPER: Final = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263))
_LOWER: Final = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
_CREASE: Final = ((247, 30, 29, 27, 28, 56, 190), (414, 286, 258, 257, 259, 260, 467))
_CHEEKS: Final = (50, 280, 151)
_SIDE: Final = 1.35
"""Half widths of the eye, from its middle, that a blink may touch"""
_NARROWEST, _WIDEST = 0.13, 0.55
"""Of an eye's height by its width: narrower ones are shut, wider ones drawn, and the curves do not fit those"""
_SMALLEST: Final = 40.0
"""Pixels between the outer eye corners"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EyeShape:
    """The lids of one eye as curves over a rectangle of the frame; lengths in pixels, v runs down the face."""

    left: int
    top_row: int
    u: Array
    """(h, w) -1 at the left corner of the eye, 1 at the right one"""
    v: Array
    """(h, w) below the line between the corners"""
    upper: Array
    """v of the upper lid's edge, (h, w) like the following"""
    lower: Array
    top: Array
    """v above which nothing moves"""
    drop: Array
    """How far the upper lid goes down to shut"""
    rise: Array
    """How far the lower lid comes up to meet it"""
    down: tuple[float, float]
    """Unit vector of v in the frame: x, y"""

    def cut(self, frame: Frame) -> Array:
        """(h, w, 3) Y'CbCr of the rectangle, chroma at full size."""
        luma, blue, red = (frame.planes[index][self._part(frame, index)] for index in range(3))
        size = luma.shape[1], luma.shape[0]
        chroma = [cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for part in (blue, red)]
        return np.asarray(cv2.merge([luma.astype(np.float32), *chroma]), np.float32)

    def put(self, frame: Frame, picture: Array, changed: NDArray[np.bool_]) -> None:
        """Write `picture`, of the form that `cut` gives, where it is `changed`."""
        limit = (1 << frame.bit_depth) - 1
        for index, plane in enumerate(frame.planes):
            part = plane[self._part(frame, index)]
            size = part.shape[1], part.shape[0]
            wanted = cv2.resize(np.ascontiguousarray(picture[..., index]), size, interpolation=cv2.INTER_AREA)
            where = cv2.resize(changed.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
            np.copyto(part, np.clip(np.rint(wanted), 0, limit).astype(part.dtype), where=where)

    def black(self, frame: Frame) -> float:
        """The code value of black."""
        return 0.0 if frame.range is Range.FULL else float(16 << (frame.bit_depth - 8))

    def _part(self, frame: Frame, index: int) -> tuple[slice, slice]:
        across, down = frame.chroma_step if index else (1, 1)
        height, width = self.u.shape
        return (
            slice(self.top_row // down, (self.top_row + height) // down),
            slice(self.left // across, (self.left + width) // across),
        )


def eye_shapes(frame: Frame, points: Points) -> list[EyeShape]:
    """The eyes whose rectangle lies in the frame; `points` are (478, 2) landmarks in pixels."""
    unit = float(np.linalg.norm(points[263] - points[33]))
    return [shape for side in (0, 1) if (shape := _shape(frame, points, side, unit)) is not None]


def eyes_can_blink(frame: Frame, points: Points, shapes: Sequence[EyeShape]) -> bool:
    """False when an eye is tiny, shut, covered, turned away or behind dark glasses."""
    if len(shapes) < 2 or np.linalg.norm(points[263] - points[33]) < _SMALLEST:
        return False
    widths = [float(np.linalg.norm(points[ids[-1]] - points[ids[0]])) for ids in _UPPER]
    if min(widths) < 0.55 * max(widths):
        return False
    cheek = np.median([_brightness(frame, points[index]) for index in _CHEEKS])
    return all(_is_open(frame, shape, width, float(cheek)) for shape, width in zip(shapes, widths, strict=True))


def _is_open(frame: Frame, shape: EyeShape, width: float, cheek: float) -> bool:
    """True when the picture shows an eye where the curves say."""
    opening = float((shape.lower - shape.upper).max())
    if not _NARROWEST * width < opening < _WIDEST * width:
        return False
    picture = shape.cut(frame)
    luma = picture[..., 0] - shape.black(frame)
    inside = (shape.v > shape.upper) & (shape.v < shape.lower) & (np.abs(shape.u) < 0.8)
    around = (np.abs(shape.u) < 0.9) & ((shape.v < shape.upper - 0.15 * width) | (shape.v > shape.lower + 0.1 * width))
    below = (np.abs(shape.u) < 0.6) & (shape.v > shape.lower + 0.05 * width) & (shape.v < shape.lower + 0.15 * width)
    if not (inside.any() and around.any() and below.any()):
        return False
    skin = np.median(picture[around], axis=0)
    # The iris of a drawn eye often goes on below the curves.
    other_colour = np.abs(picture[below] - skin)[:, 1:].max(axis=1) > (20 << (frame.bit_depth - 8))
    bright = float(np.median(luma[around]))
    return bool(
        bright > 0.45 * cheek and np.percentile(luma[inside], 20) < 0.75 * bright and other_colour.mean() < 0.15
    )


def _brightness(frame: Frame, point: Points) -> float:
    x, y = (int(np.clip(value, 0, limit - 1)) for value, limit in zip(point, (frame.width, frame.height), strict=True))
    black = 0.0 if frame.range is Range.FULL else float(16 << (frame.bit_depth - 8))
    return float(np.median(frame.y[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4])) - black


def _shape(frame: Frame, points: Points, side: int, unit: float) -> EyeShape | None:
    first, last = points[_UPPER[side][0]], points[_UPPER[side][-1]]
    middle, half = (first + last) / 2, float(np.linalg.norm(last - first)) / 2
    along = (last - first) / max(2 * half, 1e-6)
    down = np.array([-along[1], along[0]])
    rectangle = _rectangle(frame, middle, along * _SIDE * half, down * (0.2 * unit))
    if rectangle is None or half < 2:
        return None
    left, top_row, right, bottom = rectangle
    x, y = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top_row, bottom) + 0.5)
    offset = np.stack([x, y], axis=-1) - middle
    u, v = offset @ along / half, offset @ down

    # Curves of u: fitted in the eye, fading to the corners' line beyond them.
    steps = np.linspace(-_SIDE, _SIDE, 136)
    inside = np.clip(steps, -1, 1)

    def curve(landmarks: Sequence[int], degree: int) -> Points:
        seen = points[list(landmarks)] - middle
        return np.asarray(np.polyval(np.polyfit(seen @ along / half, seen @ down, degree), inside))

    upper, lower, crease = curve(_UPPER[side], 4), curve(_LOWER[side], 4), curve(_CREASE[side], 2)
    window = np.clip(1 - steps * steps, 0, 1)
    meeting = 0.85 * max(float(lower.max()), 0.0) * window
    rise = np.maximum(lower - meeting, 0) * np.clip((1 - np.abs(steps)) / 0.1, 0, 1)
    drop = np.maximum(meeting + 0.018 * unit * window - upper, 0) * (np.abs(steps) < 1)
    drop = cv2.GaussianBlur(drop[None], (0, 0), 7)[0] * np.clip((_SIDE - np.abs(steps)) / 0.2, 0, 1)
    top = np.minimum(crease, upper - 0.045 * unit) - 0.02 * unit

    def over(values: Points) -> Array:
        return np.asarray(np.interp(u, steps, values), np.float32)

    return EyeShape(
        left=left,
        top_row=top_row,
        u=u.astype(np.float32),
        v=v.astype(np.float32),
        upper=over(upper),
        lower=over(lower),
        top=over(top),
        drop=over(drop),
        rise=over(rise),
        down=(float(down[0]), float(down[1])),
    )


def _rectangle(frame: Frame, middle: Points, across: Points, down: Points) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom (excluded) round the eye in whole chroma samples; None beyond the frame."""
    reach = np.abs(across) + np.abs(down)
    steps = np.array(frame.chroma_step)
    first = (np.floor((middle - reach) / steps) * steps).astype(int)
    last = (np.ceil((middle + reach) / steps) * steps).astype(int)
    if (first < 0).any() or last[0] > frame.width or last[1] > frame.height:
        return None
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])
