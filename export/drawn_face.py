"""A face of formulas for checks: landmarks of a resting mouth, and a picture with detail everywhere."""

from __future__ import annotations

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


def drawn_landmarks(opening: float = 0.0) -> NDArray[np.float32]:
    """(478, 2) face units: lips shut or parted by `opening`; what the renderer does not read is 0."""
    points = np.zeros((LANDMARKS, 2), np.float32)
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
        points[list(line)] = np.stack([width * u, heights], axis=1)
    points[[SUBNASALE, CHIN]] = [[0, -0.22], [0, 0.48]]
    return points


def drawn_picture(side: int) -> NDArray[np.uint8]:
    """(side, side, 3): skin with slow waves of light and a fine grain."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float64) / side
    light = 30 * np.sin(2 * np.pi * 3 * x) * np.cos(2 * np.pi * 2 * y)
    grain = np.random.default_rng(side).normal(0, 6, (side, side, 3))
    return np.asarray(np.clip([190, 140, 120] + light[..., None] + grain, 0, 255), np.uint8)
