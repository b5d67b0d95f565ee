"""A face of formulas for checks: landmarks of a resting mouth, and a picture with detail everywhere."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.renderer.points import (
    CHIN,
    LANDMARKS,
    LOWER_INNER,
    LOWER_OUTER,
    SUBNASALE,
    UPPER_INNER,
    UPPER_OUTER,
)

_LEFT: Final = -0.75
_TOP: Final = -0.55
_EXTENT: Final = 1.5


def drawn_landmarks(side: int, opening: float = 0.0) -> NDArray[np.float32]:
    """(478, 3) crop pixels: lips shut or parted by `opening` face units; what the renderer does not read is 0."""
    points = np.zeros((LANDMARKS, 3), np.float32)
    u = np.linspace(-1, 1, 11)
    bell = 1 - u**2
    lines = {
        UPPER_OUTER: -0.07 * bell - opening / 2 * bell,
        LOWER_OUTER: 0.09 * bell + opening / 2 * bell,
        UPPER_INNER: -opening / 2 * bell,
        LOWER_INNER: opening / 2 * bell,
    }
    for line, heights in lines.items():
        width = 0.28 if line in (UPPER_OUTER, LOWER_OUTER) else 0.26
        points[list(line), :2] = _crop_pixels(np.stack([width * u, heights], axis=1), side)
    points[[SUBNASALE, CHIN], :2] = _crop_pixels(np.array([[0, -0.22], [0, 0.48]]), side)
    return points


def drawn_picture(side: int) -> NDArray[np.uint8]:
    """(side, side, 3): skin with slow waves of light and a fine grain."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float64) / side
    light = 30 * np.sin(2 * np.pi * 3 * x) * np.cos(2 * np.pi * 2 * y)
    grain = np.random.default_rng(side).normal(0, 6, (side, side, 3))
    return np.asarray(np.clip([190, 140, 120] + light[..., None] + grain, 0, 255), np.uint8)


def _crop_pixels(units: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    return (units - [_LEFT, _TOP]) / _EXTENT * side
