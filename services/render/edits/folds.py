"""The folds of a smile, softened where its lips come together: a mouth that is no longer wide folds no cheek.

What is coarser than grain and finer than the shape of a cheek loses a share; grain and light stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.render.edits.grid import grid_over
from services.render.edits.sampling import Floats, Rectangle
from services.render.edits.smoothstep import smoothstep

_FINE, _COARSE = 0.012, 0.07
"""Face units of blur between which a fold lies"""
_SIDES: Final = (0.20, 0.42, 0.10)
"""Face units from the middle, from where on a cheek is softened and up to where, and how softly both begin"""
_ROWS: Final = (-0.30, 0.30, 0.13)
"""... and its upper and lower end, below the middle of the mouth"""
_LIPS: Final = (0.33, -0.06, 0.11, 0.05)
"""To which side, how far up and down the lips reach, which are no fold, and how softly they end"""
_GRID: Final = grid_over(-_SIDES[1] - _SIDES[2], _ROWS[0], _SIDES[1] + _SIDES[2], _ROWS[1], 1 / 16)


@dataclass(frozen=True, slots=True)
class SoftFolds:
    """How much one face's folds are softened."""

    share: float
    """0..1 of them that goes"""
    ends: tuple[float, float]
    """x in face units where the left and the right cheek end"""

    def soften(self, frame: Frame, to_face: NDArray[np.float64]) -> None:
        """Change the frame in place; `to_face` is the affine frame -> face units."""
        window = _GRID.rectangle(frame, to_face)
        if window.empty:
            return
        unit = 1 / float(np.sqrt(abs(np.linalg.det(to_face[:, :2]))))
        # Folds are coarse: they are looked at in a picture whose pixels are as fine as they are.
        coarser = max(int(2 * _FINE * unit), 1)
        size = max(window.size[0] // coarser, 2), max(window.size[1] // coarser, 2)
        shares = self._shares(window, size, to_face)
        highest = (1 << frame.bit_depth) - 1
        for plane in window.of_planes(frame):
            small = cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            fine, coarse = (cv2.GaussianBlur(small, (0, 0), blur * unit / coarser) for blur in (_FINE, _COARSE))
            folds = cv2.resize((fine - coarse) * shares, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
            plane[...] = np.clip(np.rint(plane - folds), 0, highest).astype(plane.dtype)

    def _shares(self, window: Rectangle, size: tuple[int, int], to_face: NDArray[np.float64]) -> Floats:
        """(rows, columns) of the window in that size (columns, rows): what goes of each place."""
        columns, rows = (
            first + (np.arange(count) + 0.5) * (whole / count)
            for first, count, whole in zip((window.left, window.top), size, window.size, strict=True)
        )
        x, y = (row[0] * columns[None] + row[1] * rows[:, None] + row[2] for row in to_face)
        away, (left, right) = np.abs(x), self.ends
        inner, outer, soft = _SIDES
        end = np.minimum(outer, np.where(x < 0, -left, right) - soft)
        cheeks = smoothstep((away - inner) / soft) * (1 - smoothstep((away - end) / soft))
        top, bottom, soft = _ROWS
        cheeks *= smoothstep((y - top) / soft) * smoothstep((bottom - y) / soft)
        side, above, below, soft = _LIPS
        lips = smoothstep((side + soft - away) / soft) * smoothstep((y - above + soft) / soft)
        lips *= smoothstep((below + soft - y) / soft)
        return np.asarray(self.share * cheeks * (1 - lips), np.float32)
