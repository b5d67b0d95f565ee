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

_REACH: Final = (-0.46, -0.21, 0.46, 0.41)
"""Left, top, right and bottom in face units of what is laid over: from the nose to the chin"""
_FEATHER: Final = 0.14
"""Face units over which it begins"""
_RIM: Final = 0.05
"""... and by how much earlier it ends to be compared with the frame"""
_LIGHT: Final = 0.14
"""Face units of blur, with which the difference at the rim is spread inwards"""
_NOTHING: Final = 1e-4
"""Weight of what lies far from the rim"""
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
            light = _spread(difference, at_step(compared, step), blur / step[0])
            laid = under - (difference - light) * (at_step(shown, step) * np.float32(self.share))
            under[...] = np.clip(np.rint(laid), 0, highest).astype(under.dtype)


def _spread(difference: Floats, weight: Floats, blur: float) -> Floats:
    """The difference where it has weight, and what it is near by elsewhere; `blur` is in pixels."""
    coarser = max(int(blur / 4), 1)
    size = max(difference.shape[1] // coarser, 2), max(difference.shape[0] // coarser, 2)

    def blurred(part: Floats) -> Floats:
        small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        wide = cv2.GaussianBlur(small, (0, 0), blur / coarser, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(wide, np.float32)

    counted = weight + np.float32(_NOTHING)
    smooth = blurred(difference * counted) / blurred(counted)
    return np.asarray(cv2.resize(smooth, difference.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _inside(grid: Grid, margin: float) -> Floats:
    """(rows, columns) 0 at the edges of _REACH less a margin, 1 from _FEATHER inside them on."""
    left, top, right, bottom = _REACH
    across = _smooth((grid.x - left - margin) / _FEATHER) * _smooth((right - margin - grid.x) / _FEATHER)
    down = _smooth((grid.y - top - margin) / _FEATHER) * _smooth((bottom - margin - grid.y) / _FEATHER)
    return np.asarray(down[:, None] * across, np.float32)


def _smooth(values: Floats) -> Floats:
    inside = values.clip(0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside))


_GRID: Final = grid_over(*_REACH, _STEP)
_WEIGHTS: Final = np.dstack([_inside(_GRID, 0), 1 - _inside(_GRID, _RIM)])
"""How much of the picture is shown, and how much it is compared with the frame"""
