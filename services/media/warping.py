"""Samples a turned part of a plane at a smaller size; what lies between the samples counts, too."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media.colour import Samples

_MEANS_FROM: Final = 1.5
"""Pixels that a sample stands for each way, from which it is a mean; below that, interpolation is enough"""
_MARGIN: Final = 3
"""Pixels round the part that means and interpolation reach"""


def warped_plane(plane: Samples, affine: NDArray[np.float64], size: tuple[int, int]) -> Samples:
    """(height, width) samples of a turned part, `size` (width, height); edge pixels go on outside the plane.

    `affine` (2, 3) leads from samples to the plane's pixels, in continuous coordinates: pixel i covers [i, i + 1).
    """
    covered = math.sqrt(abs(float(np.linalg.det(affine[:, :2]))))
    if covered < _MEANS_FROM:
        return _at_points(plane, affine, size)
    # Halves are means, too, and cost next to nothing.
    halvings = math.floor(math.log2(covered / _MEANS_FROM))
    part, affine = _halved_part(plane, affine, size, halvings)
    return _at_points(*_means(part, affine, round(covered / (1 << halvings))), size)


def halved(plane: Samples) -> Samples:
    """Half as wide and high, each sample a mean of four; OpenCV does it thirty times as fast as other means."""
    half = plane.shape[1] // 2, plane.shape[0] // 2
    return np.asarray(cv2.resize(plane, half, interpolation=cv2.INTER_AREA), plane.dtype)


def _at_points(plane: Samples, affine: NDArray[np.float64], size: tuple[int, int]) -> Samples:
    """Linear between the centres of pixels."""
    centres = affine.copy()
    centres[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(plane, centres, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), plane.dtype)


def _means(plane: Samples, affine: NDArray[np.float64], side: int) -> tuple[Samples, NDArray[np.float64]]:
    """Every pixel the mean of a square of so many, and the affine that leads there."""
    means = cv2.blur(plane, (side, side), anchor=(side // 2, side // 2), borderType=cv2.BORDER_REPLICATE)
    moved = affine.copy()
    moved[:, 2] += (1 - side % 2) / 2  # even squares have their middle between pixels
    return np.asarray(means, plane.dtype), moved


def _halved_part(
    plane: Samples, affine: NDArray[np.float64], size: tuple[int, int], times: int
) -> tuple[Samples, NDArray[np.float64]]:
    """What samples need of the plane, halved so often, and the affine that leads there."""
    block = 1 << times
    most = np.array(plane.shape[::-1]) // block
    if not most.all():
        return plane, affine
    corners = np.array([(0, 0, 1), (size[0], 0, 1), (0, size[1], 1), (*size, 1)]) @ affine.T / block
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - _MARGIN, 0, most - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + _MARGIN, low + 1, most)
    (left, top), (right, bottom) = (low * block).tolist(), (high * block).tolist()
    part = plane[top:bottom, left:right]
    for _ in range(times):
        part = halved(part)
    moved = affine.copy()
    moved[:, 2] -= left, top
    return part, moved / block
