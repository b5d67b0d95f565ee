"""Samples of a field on a face, and where they lie in a frame."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.render.edits.sampling import Floats, Rectangle


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the samples of a field lie on a face: `step` face units apart, the first at (left, top)."""

    left: float
    top: float
    step: float
    columns: int
    rows: int

    @property
    def x(self) -> Floats:
        """(columns,) face units."""
        return (self.left + self.step * np.arange(self.columns)).astype(np.float32)

    @property
    def y(self) -> Floats:
        """(rows,) face units."""
        return (self.top + self.step * np.arange(self.rows)).astype(np.float32)

    @property
    def corners(self) -> NDArray[np.float64]:
        """(4, 2) face units."""
        right, bottom = self.left + self.step * (self.columns - 1), self.top + self.step * (self.rows - 1)
        return np.array([[self.left, self.top], [right, self.top], [self.left, bottom], [right, bottom]])

    def seen(self, samples: Floats, rectangle: Rectangle, to_face: NDArray[np.float64]) -> Floats:
        """Samples on the grid, at a rectangle's pixels; 0 outside the grid. `to_face` is the affine frame -> face."""
        linear = to_face[:, :2] / self.step
        first_pixel = to_face[:, :2] @ (rectangle.left + 0.5, rectangle.top + 0.5) + to_face[:, 2]
        affine = np.column_stack([linear, (first_pixel - (self.left, self.top)) / self.step])
        return cv2.warpAffine(samples, affine, rectangle.size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)  # type: ignore[return-value]

    def rectangle(self, frame: Frame, to_face: NDArray[np.float64]) -> Rectangle:
        """The part of the frame that the grid can touch, in whole chroma samples."""
        in_frame = (self.corners - to_face[:, 2]) @ np.linalg.inv(to_face[:, :2]).T
        steps, limits = frame.chroma_step, (frame.width, frame.height)
        (left, right), (top, bottom) = (
            [min(max(place * step, 0), limit) for place in (floor(low / step), ceil(high / step))]
            for low, high, step, limit in zip(
                in_frame.min(axis=0).tolist(), in_frame.max(axis=0).tolist(), steps, limits, strict=True
            )
        )
        return Rectangle(left, top, right, bottom)

    def part(self, column: int, row: int, columns: int, rows: int) -> Grid:
        """The grid of these samples."""
        return Grid(self.left + self.step * column, self.top + self.step * row, self.step, columns, rows)

    def round(self, column: int, row: int, columns: int, rows: int) -> Grid:
        """The grid of these samples, and one more on each side."""
        corner = self.left + self.step * (column - 1), self.top + self.step * (row - 1)
        return Grid(*corner, self.step, columns + 2, rows + 2)


def grid_over(left: float, top: float, right: float, bottom: float, step: float) -> Grid:
    """The grid of that step that covers a rectangle of the face."""
    columns, rows = (int(np.ceil(size / step)) + 1 for size in (right - left, bottom - top))
    return Grid(left, top, step, columns, rows)
