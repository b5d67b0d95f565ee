"""A mouth at rest laid over one that talks in the footage: its own picture, from a moment when it was shut.

Skin that spoke and was laid back keeps traces of its words, however well it is followed. The picture takes its light
and its colours from the frame: what both differ by all around it is spread over it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame, rgb_to_yuv
from services.render.edits.grid import Grid, grid_over
from services.render.edits.sampling import Floats, at_step, channels, frame_steps
from services.render.edits.smoothstep import smoothstep

_MIDDLE, _REACH = (0.0, 0.08), (0.52, 0.31)
"""Middle and half axes in face units of the ellipse that is laid over: from the nose to the chin, within the jaw"""
_WHOLE: Final = 0.72
"""Of the way to its edge, from where on less and less of the picture is shown"""
_RIM: Final = (0.55, 0.75, 0.95, 1.05)
"""... and where it is compared with the frame: from the first two on, up to the last two"""
_LIGHT: Final = 0.14
"""Face units of blur, with which the difference at the rim is spread inwards"""
_NOTHING: Final = 1e-4
"""Weight of what lies far from the rim"""
_OTHER: Final = 12.0
"""Levels of 8 bits by which a place differs more than most, from where on it hardly counts: that is no skin"""
_STEP: Final = 1 / 64


@dataclass(frozen=True, slots=True, eq=False)
class RestingMouth:
    """How one face's mouth looks at rest."""

    picture: NDArray[np.uint8] = field(repr=False)
    """(rows, columns, 3) RGB"""
    to_picture: NDArray[np.float64]
    """(2, 3) affine face units -> its pixels"""
    share: float
    """0..1 how much of it to show"""

    def lay_over(self, frame: Frame, to_face: NDArray[np.float64]) -> None:
        """Change the frame in place; `to_face` is the affine frame -> face units."""
        window = _GRID.rectangle(frame, to_face)
        if window.empty:
            return
        seen = _GRID.seen(_WEIGHTS, window, to_face)
        shown, compared = channels(seen)
        first = to_face[:, :2] @ (window.left + 0.5, window.top + 0.5) + to_face[:, 2]
        to_picture = np.column_stack([self.to_picture[:, :2] @ to_face[:, :2], self.to_picture[:, :2] @ first])
        to_picture[:, 2] += self.to_picture[:, 2] - 0.5
        sampling = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        rgb = cv2.warpAffine(self.picture, to_picture, window.size, flags=sampling, borderMode=cv2.BORDER_REPLICATE)
        yuv = rgb_to_yuv(np.asarray(rgb, np.uint8), frame.matrix, frame.range, frame.bit_depth).astype(np.float32)
        blur = _LIGHT / float(np.sqrt(abs(np.linalg.det(to_face[:, :2]))))
        highest = (1 << frame.bit_depth) - 1
        for under, step, resting in zip(window.of_planes(frame), frame_steps(frame), channels(yuv), strict=True):
            difference = under - at_step(resting, step)
            light = _spread(difference, at_step(compared, step), blur / step[0], _OTHER * (highest / 255))
            laid = under - (difference - light) * (at_step(shown, step) * np.float32(self.share))
            under[...] = np.clip(np.rint(laid), 0, highest).astype(under.dtype)


def _spread(difference: Floats, weight: Floats, blur: float, other: float) -> Floats:
    """The difference where it has weight, and what it is near by elsewhere.

    `blur` is in pixels; what differs by `other` more than most has little weight.
    """
    coarser = max(int(blur / 4), 1)
    size = max(difference.shape[1] // coarser, 2), max(difference.shape[0] // coarser, 2)
    small, counted = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (difference, weight))
    rim = small[counted > 0.5]
    usual = np.median(rim) if rim.size else 0
    counted = counted / (1 + np.square((small - usual) / other)) + np.float32(_NOTHING)
    mean, weights = (
        cv2.GaussianBlur(part, (0, 0), blur / coarser, borderType=cv2.BORDER_REPLICATE)
        for part in ((small * counted).astype(np.float32), counted.astype(np.float32))
    )
    smooth = cv2.resize(mean / weights, difference.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(smooth, np.float32)


def _weights(grid: Grid) -> Floats:
    """(rows, columns, 2): how much of the picture is shown, and how much it is compared with the frame."""
    x, y = (grid.x - _MIDDLE[0]) / _REACH[0], (grid.y - _MIDDLE[1]) / _REACH[1]
    way = np.hypot(x[None], y[:, None])
    begin, compared, end, over = _RIM
    shown = 1 - smoothstep((way - _WHOLE) / (1 - _WHOLE))
    rim = smoothstep((way - begin) / (compared - begin)) * (1 - smoothstep((way - end) / (over - end)))
    return np.dstack([shown, rim]).astype(np.float32)


_HALF: Final = _RIM[-1] * _REACH[0], _RIM[-1] * _REACH[1]
_GRID: Final = grid_over(
    _MIDDLE[0] - _HALF[0], _MIDDLE[1] - _HALF[1], _MIDDLE[0] + _HALF[0], _MIDDLE[1] + _HALF[1], _STEP
)
_WEIGHTS: Final = _weights(_GRID)
