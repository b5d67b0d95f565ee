"""A picture in memory in the place of a frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


class ShownPicture:
    """RGB (height, width, 3) as a frame shows it."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self.height, self.width = rgb.shape[:2]
        self._rgb = rgb

    def rgb_region(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        """(bottom - top, right - left, 3)."""
        return self._rgb[top:bottom, left:right]

    def rgb_shrunk(
        self, left: int, top: int, right: int, bottom: int, size: tuple[int, int], *, halving: bool = False
    ) -> NDArray[np.uint8]:
        """(size[1], size[0], 3)."""
        region = self.rgb_region(left, top, right, bottom)
        return np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), np.uint8)
