"""Finds where a video cuts to another picture, from a thumbnail of each frame's luma. Pure."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_THUMBNAIL: Final = (64, 36)
_SAMPLES: Final = 5
"""Of the picture that make a pixel of the thumbnail, along each side, where it has as many"""
# Change between two thumbnails: 0 the same picture, 1 unrelated ones. Measured: a talking head up to 0.005, a flash of
# half as much light again 0.06, a punch-in by 10 % 0.17 to 0.30, a camera that is swung round 0.2. So a smaller change
# is only a possible cut, and a camera that goes on moving is known by the frames before.
_LEAST_CHANGE: Final = 0.08
_SURE_CHANGE: Final = 0.4
_TIMES_RECENT: Final = 6.0
_RECENT_FLOOR: Final = 0.004
_RECENT_FRAMES: Final = 12


class Cut(Enum):
    """Whether a frame starts a shot."""

    NONE = "none"
    POSSIBLE = "possible"
    """Look at the faces: when they go on where they were, it is none"""
    SURE = "sure"


class CutDetector:
    """Remembers one thumbnail and the last changes."""

    def __init__(self) -> None:
        self._previous: NDArray[np.float32] | None = None
        self._recent: deque[float] = deque(maxlen=_RECENT_FRAMES)

    def judge(self, luma: NDArray[np.unsignedinteger]) -> Cut:
        """Whether the picture with this luma (h, w) starts a new shot; the first frame does not."""
        current = _thumbnail(luma)
        previous, self._previous = self._previous, current
        if previous is None:
            return Cut.NONE
        change = picture_change(previous, current)
        usual = sum(self._recent) / _RECENT_FRAMES
        self._recent.append(min(change, _SURE_CHANGE))
        if change < max(_LEAST_CHANGE, _TIMES_RECENT * (usual + _RECENT_FLOOR)):
            # What follows a cut closely may be a cut, too, though the changes before were large.
            return Cut.POSSIBLE if change > _SURE_CHANGE else Cut.NONE
        return Cut.SURE if change > _SURE_CHANGE else Cut.POSSIBLE


def picture_change(previous: NDArray[np.float32], current: NDArray[np.float32]) -> float:
    """How unlike two thumbnails are, brightness left out: 0 the same, about 1 unrelated."""
    before, after = ((thumbnail - thumbnail.mean()).ravel() for thumbnail in (previous, current))
    change = after - before
    # The constant keeps the noise of two black frames from looking like a change.
    energy = float(before @ before + after @ after) + 20.0 * change.size
    return float(change @ change / energy)


def _thumbnail(luma: NDArray[np.unsignedinteger]) -> NDArray[np.float32]:
    """(36, 64) luma 0..255, whatever the bit depth."""
    stride = max(1, min(luma.shape[0] // (_SAMPLES * _THUMBNAIL[1]), luma.shape[1] // (_SAMPLES * _THUMBNAIL[0])))
    small = cv2.resize(np.ascontiguousarray(luma[::stride, ::stride]), _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / (1.0 if luma.dtype == np.uint8 else 4.0)
