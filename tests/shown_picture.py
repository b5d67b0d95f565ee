"""A picture in memory in the place of a frame."""

from __future__ import annotations

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
