"""Smoothing along the first axis (time): Savitzky-Golay of order 2, and Gaussian; medians. Pure numpy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_ORDER = 2


def smooth_polynomial(rows: NDArray[np.float64], window: int, padding: tuple[int, int]) -> NDArray[np.float64]:
    """Savitzky-Golay over an odd `window` of rows; the edge rows are repeated `padding` times before and after.

    Gives len(rows) + sum(padding) - window + 1 rows, and `rows` as they are when the window is too short to smooth.
    """
    if window < _ORDER + 2:
        inner = window // 2
        return rows[inner - padding[0] : len(rows) - (inner - padding[1])]
    padded = np.pad(rows, [padding] + [(0, 0)] * (rows.ndim - 1), mode="edge")
    count = len(padded) - window + 1
    smoothed = np.zeros((count, *rows.shape[1:]))
    for offset, weight in enumerate(_weights(window)):
        smoothed += weight * padded[offset : offset + count]
    return smoothed


def gaussian_smoothed(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """(n,) values weighted with a bell of `sigma` rows; the edges are repeated."""
    radius = int(4 * sigma + 0.5)
    bell = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) / sigma))
    return np.convolve(np.pad(values, radius, mode="edge"), bell / bell.sum(), mode="valid")


def running_median(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """(n,) medians over an odd `window` of values; the edges are repeated."""
    padded = np.pad(values, window // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1))


def running_maximum(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """(n,) maxima over an odd `window` of values."""
    padded = np.pad(values, window // 2, mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, window).max(axis=1))


@lru_cache(maxsize=8)
def _weights(window: int) -> tuple[float, ...]:
    """What each row of the window adds to the polynomial's value in its middle."""
    powers = np.vander(np.arange(window) - window // 2, _ORDER + 1, increasing=True)
    return tuple(np.linalg.pinv(powers)[0].tolist())
