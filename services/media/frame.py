"""One picture as planes that may be written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media.colour import Matrix, Range, Samples, yuv_to_rgb
from services.media.warping import halved, warped_plane

HALVED: Final = 8
"""See rgb_shrunk: sides of regions that are multiples of it are shrunk fastest"""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """An upright picture of even size; its planes belong to it alone and may be written to."""

    index: int
    """Which frame of the clip it is, from 0"""
    y: Samples
    """(height, width)"""
    u: Samples
    """(height / step, width / step), see chroma_step"""
    v: Samples
    bit_depth: int
    """8 (uint8) or 10 (uint16, values 0..1023)"""
    matrix: Matrix
    range: Range

    @property
    def planes(self) -> tuple[Samples, Samples, Samples]:
        """Y, U and V."""
        return self.y, self.u, self.v

    @property
    def width(self) -> int:
        """Luma pixels a row."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Luma rows."""
        return int(self.y.shape[0])

    @property
    def chroma_step(self) -> tuple[int, int]:
        """Luma pixels (across, down) that share a chroma sample: (2, 2) is 4:2:0, (2, 1) 4:2:2, (1, 1) 4:4:4."""
        return self.y.shape[1] // self.u.shape[1], self.y.shape[0] // self.u.shape[0]

    def rgb(self) -> NDArray[np.uint8]:
        """(height, width, 3) RGB of the whole picture."""
        return self.rgb_region(0, 0, self.width, self.height)

    def rgb_region(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        """(bottom - top, right - left, 3) RGB of a region inside the picture; right and bottom are excluded.

        Chroma is interpolated between the centres of the pixels that share a sample.
        """
        self._check_region(left, top, right, bottom)
        luma = self.y[top:bottom, left:right]
        blue, red = (self._chroma_region(plane, left, top, right, bottom) for plane in (self.u, self.v))
        return yuv_to_rgb(cv2.merge([luma, blue, red]), self.matrix, self.range, self.bit_depth)

    def rgb_shrunk(
        self, left: int, top: int, right: int, bottom: int, size: tuple[int, int], *, halving: bool = False
    ) -> NDArray[np.uint8]:
        """(height, width, 3) RGB of a region as `size` (width, height) shows it, each pixel the mean of what it covers.

        The planes are shrunk first, which is far cheaper than converting them: values are those of rgb_region but for
        rounding, and chroma may lie up to a pixel of the frame aside where the region cuts through its samples.
        `halving` rounds once more for each half, and costs least for a region whose sides are multiples of HALVED.
        """
        self._check_region(left, top, right, bottom)
        across, down = self.chroma_step
        parts = [self.y[top:bottom, left:right]]
        parts += [
            plane[top // down : -(-bottom // down), left // across : -(-right // across)] for plane in (self.u, self.v)
        ]
        shrunk = [_resized(part, size, halving) for part in parts]
        return yuv_to_rgb(cv2.merge(shrunk), self.matrix, self.range, self.bit_depth)

    def rgb_warped(self, affine: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
        """(height, width, 3) RGB of a turned part, `size` (width, height); edge pixels go on outside the frame.

        `affine` (2, 3) leads from its pixels to the frame's, in continuous coordinates: pixel i covers [i, i + 1).
        """
        to_chroma = affine / np.array(self.chroma_step)[:, None]
        places = zip(self.planes, (affine, to_chroma, to_chroma), strict=True)
        planes = [warped_plane(plane, to_plane, size) for plane, to_plane in places]
        return yuv_to_rgb(cv2.merge(planes), self.matrix, self.range, self.bit_depth)

    def _check_region(self, left: int, top: int, right: int, bottom: int) -> None:
        if not (0 <= left < right <= self.width and 0 <= top < bottom <= self.height):
            raise ValueError(f"region {left, top, right, bottom} is not inside {self.width} x {self.height}")

    def _chroma_region(self, plane: Samples, left: int, top: int, right: int, bottom: int) -> Samples:
        """A chroma plane at the size of luma, in a region; one sample more on each side feeds the interpolation."""
        across, down = self.chroma_step
        if across == down == 1:
            return plane[top:bottom, left:right]
        first_x, first_y = max(0, left // across - 1), max(0, top // down - 1)
        part = plane[first_y : -(-bottom // down) + 1, first_x : -(-right // across) + 1]
        size = (part.shape[1] * across, part.shape[0] * down)
        grown = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
        shift_x, shift_y = first_x * across, first_y * down
        return grown[top - shift_y : bottom - shift_y, left - shift_x : right - shift_x]


def _resized(plane: Samples, size: tuple[int, int], halving: bool) -> Samples:
    """Means of what each sample covers; between samples where there are fewer of them than wanted.

    With `halving` halves are taken first where sides are even.
    """
    width, height = size
    while (
        halving
        and plane.shape[1] >= 2 * width
        and plane.shape[0] >= 2 * height
        and not (plane.shape[1] | plane.shape[0]) & 1
    ):
        plane = halved(plane)
    fewer = plane.shape[1] >= width and plane.shape[0] >= height
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA if fewer else cv2.INTER_LINEAR)
