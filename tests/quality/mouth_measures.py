"""What is measured on a mouth as plain arithmetic on landmarks, coefficients and the times of phones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

LEFT_EYE, RIGHT_EYE = 33, 263
UPPER_LIP, LOWER_LIP = 13, 14
CORNERS = (61, 291)
STEADY = (33, 133, 362, 263, 168, 6, 197, 195, 5, 4)
"""Eye corners and the bridge of the nose: what no mouth moves"""
LIPS = (61, 39, 0, 269, 291, 405, 17, 181, 78, 81, 13, 311, 308, 402, 14, 178)
SHUT = 0.012
"""An inner opening below this, in eye distances, looks shut."""


def eye_distance(landmarks: NDArray[np.floating]) -> Series:
    """Distance of the outer eye corners in pixels, from (..., 478, 3)."""
    return np.asarray(np.linalg.norm(landmarks[..., RIGHT_EYE, :2] - landmarks[..., LEFT_EYE, :2], axis=-1))


def inner_opening(landmarks: NDArray[np.floating]) -> Series:
    """Distance of the inner lips in eye distances, from (..., 478, 3)."""
    between = np.linalg.norm(landmarks[..., UPPER_LIP, :2] - landmarks[..., LOWER_LIP, :2], axis=-1)
    return np.asarray(between / eye_distance(landmarks))


def mouth_width(landmarks: NDArray[np.floating]) -> Series:
    """Distance of the corners of the mouth in eye distances, from (..., 478, 3)."""
    left, right = (landmarks[..., corner, :2] for corner in CORNERS)
    return np.asarray(np.linalg.norm(right - left, axis=-1) / eye_distance(landmarks))


def requested_opening(coefficients: NDArray[np.floating]) -> Series:
    """(n,) inner opening in eye distances that the default family's renderer is asked for by (n, 8) coefficients."""
    jaw, close, _wide, _round, upper, lower, fv, _tongue = coefficients.astype(np.float64).T
    parted = 1 - close
    drop = (0.215 * jaw + 0.03 * lower) * parted * (1 - 0.8 * fv)
    return np.asarray(1.01 * drop + (0.03 * upper * (1 - 0.5 * fv) + 0.03 * lower) * parted + 0.016 * fv)


def closures_of(phones: Path) -> list[tuple[float, float]]:
    """When the lips of a speaker are shut, (start, end) in seconds: the closures of a phones file."""
    closures = json.loads(phones.read_text(encoding="utf-8"))["closures"]
    return [(closure["start"], closure["end"]) for closure in closures]


def closures_met(opening: Series, closures: Sequence[tuple[float, float]], frame_rate: Fraction) -> NDArray[np.bool_]:
    """Of every closure within the series: are the lips shut on the frame that is on screen in its middle?"""
    frames = (np.array([sum(closure) / 2 for closure in closures]) * float(frame_rate)).astype(np.int64)
    return np.asarray(opening[frames[frames < len(opening)]] < SHUT)


def shut_rightly(
    opening: Series, voiced: NDArray[np.bool_], closures: Sequence[tuple[float, float]], frame_rate: Fraction
) -> NDArray[np.bool_]:
    """Of every time that the lips shut while the voice goes on: is there a closure within a frame and a half?

    `opening` and `voiced` are by frame. A time that reaches into a pause does not count.
    """
    slack = 1.5 / float(frame_rate)
    edges = np.flatnonzero(np.diff(opening < SHUT, prepend=False, append=False))
    right = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if voiced[max(start - 1, 0) : stop + 1].all():
            begin, end = start / float(frame_rate) - slack, stop / float(frame_rate) + slack
            right.append(any(low < end and high > begin for low, high in closures))
    return np.array(right, np.bool_)


def best_correlation(first: Series, second: Series, most_lag: int = 3) -> tuple[float, int]:
    """Pearson's r of two series at the lag in frames where it is greatest; lag > 0: `first` is late."""
    found = []
    for lag in range(-most_lag, most_lag + 1):
        a, b = first[max(0, lag) : len(first) + min(0, lag)], second[max(0, -lag) : len(second) + min(0, -lag)]
        known = ~(np.isnan(a) | np.isnan(b))
        found.append((float(np.corrcoef(a[known], b[known])[0, 1]), lag))
    return max(found)


def mouth_frame(landmarks: NDArray[np.floating]) -> tuple[float, Series, Series]:
    """Of one face (478, 3): the eye distance in pixels, the unit vector along the eyes, the middle of the mouth."""
    unit = float(eye_distance(landmarks))
    along = (landmarks[RIGHT_EYE, :2] - landmarks[LEFT_EYE, :2]) / unit
    return unit, along.astype(np.float64), landmarks[list(CORNERS), :2].mean(axis=0).astype(np.float64)


def lip_movement(landmarks: NDArray[np.floating]) -> float:
    """Mean way of the lips' points from one frame to the next, in eye distances, the head's own movement taken out."""
    ways = [_way(before.astype(np.float64), after.astype(np.float64)) for before, after in pairwise(landmarks)]
    return float(np.nanmean(ways))


def tremble(opening: Series, requested: Series) -> float:
    """Mean change of the opening from one frame to the next that nobody asked for, in eye distances."""
    known = ~np.isnan(opening)
    slope = float(np.polyfit(requested[known], opening[known], 1)[0])
    return float(np.nanmean(np.abs(np.diff(opening - slope * requested))))


def _way(before: Series, after: Series) -> float:
    """Between two faces (478, 3); NaN when one of them is missing."""
    if np.isnan(before).any() or np.isnan(after).any():
        return float("nan")
    steady = list(STEADY)
    terms = np.column_stack([after[steady, :2], np.ones(len(steady))])
    affine = np.linalg.lstsq(terms, before[steady, :2], rcond=None)[0]
    lips = list(LIPS)
    moved = np.column_stack([after[lips, :2], np.ones(len(lips))]) @ affine
    return float(np.linalg.norm(moved - before[lips, :2], axis=1).mean() / eye_distance(before))
