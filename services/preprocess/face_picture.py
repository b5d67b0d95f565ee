"""The picture of a face that its colours and its skin are taken from, made once a frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.crops import Picture, box_round
from services.preprocess.landmarks import box_of_landmarks, eye_distance

BLOWN_OUT: Final = 246
"""From here on the largest channel hides how bright a point is"""
_LEAST_EYES: Final = 56.0
"""Pixels of the eye distance that halving leaves"""
_NOSE, _CHIN = 2, 152
_REACH: Final = 0.75
"""Half side of the square round the lower face in eye distances; a face may be rolled"""


@dataclass(frozen=True, slots=True, eq=False)
class FacePicture:
    """A face from its forehead to below its chin, halved as often as its details allow."""

    rgb: NDArray[np.uint8] = field(repr=False)
    """(h, w, 3)"""
    corner: NDArray[np.intp]
    """(2,) left and top in source pixels"""
    scale: NDArray[np.float64]
    """(2,) of its pixels for a source pixel, across and down"""
    eyes: float
    """Eye distance in its pixels"""
    lower: tuple[int, int, int, int]
    """Left, top, right, bottom in its pixels of the square round the lower face, as far as it lies inside"""
    frame_size: tuple[int, int]
    """Width and height of the frame in source pixels"""

    def place(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """(..., 2) source pixels -> its pixels."""
        return np.asarray((points - self.corner) * self.scale)

    def box(self, points: NDArray[np.float64], margin: float) -> tuple[int, int, int, int]:
        """Left, top, right, bottom round points (n, 2) in its pixels, with a margin in eye distances; never empty."""
        reach, size = margin * self.eyes, (self.rgb.shape[1], self.rgb.shape[0])
        return _box_inside(size, points.min(axis=0) - reach, points.max(axis=0) + reach)


def take_face(picture: Picture, landmarks: NDArray[np.float32]) -> FacePicture:
    """The picture of the face with landmarks (478, 3) in the pixels of its frame."""
    eyes, mesh = max(eye_distance(landmarks), 1.0), box_of_landmarks(landmarks)
    middle = (landmarks[_NOSE, :2].astype(np.float64) + landmarks[_CHIN, :2]) / 2
    low, high = middle - _REACH * eyes, middle + _REACH * eyes
    left, top, right, bottom = box_round(np.minimum(low, mesh[:2]), np.maximum(high, mesh[2:]), picture)
    halvings = max(int(math.log2(eyes / _LEAST_EYES)), 0)
    size = max((right - left) >> halvings, 1), max((bottom - top) >> halvings, 1)
    corner, scale = np.array([left, top]), np.array([size[0] / (right - left), size[1] / (bottom - top)])
    return FacePicture(
        rgb=picture.rgb_shrunk(left, top, right, bottom, size, halving=True),
        corner=corner,
        scale=scale,
        eyes=eyes * float(scale[0]),
        lower=_box_inside(size, (low - corner) * scale, (high - corner) * scale),
        frame_size=(picture.width, picture.height),
    )


def resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Means of what each pixel covers; between pixels where there are fewer of them than wanted."""
    fewer = picture.shape[1] >= width and picture.shape[0] >= height
    interpolation = cv2.INTER_AREA if fewer else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=interpolation), np.uint8)


def nearest_odd(length: float) -> int:
    """Side of a square of pixels that has one in its middle: means over others would lie half a pixel aside."""
    return max(2 * round(length / 2 - 0.5) + 1, 1)


def _box_inside(size: tuple[int, int], low: NDArray[Any], high: NDArray[Any]) -> tuple[int, int, int, int]:
    (left, right), (top, bottom) = _inside(low[0], high[0], size[0]), _inside(low[1], high[1], size[1])
    return left, top, right, bottom


def _inside(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(round(low), 0), size - 1)
    return first, min(max(round(high), first + 1), size)
