"""What is measured on a rendered mouth, as plain arithmetic on landmarks, coefficients and pixels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Series = NDArray[np.float64]

LEFT_EYE, RIGHT_EYE = 33, 263
UPPER_LIP, LOWER_LIP = 13, 14
LOWER_LIP_EDGE, CHIN = 17, 152
CORNERS = (61, 291)
SHUT = 0.012
"""An inner opening below this, in eye distances, looks shut."""


def eye_distance(landmarks: NDArray[np.floating]) -> Series:
    """Distance of the outer eye corners in pixels, from (..., 478, 3)."""
    return np.asarray(np.linalg.norm(landmarks[..., RIGHT_EYE, :2] - landmarks[..., LEFT_EYE, :2], axis=-1))


def inner_opening(landmarks: NDArray[np.floating]) -> Series:
    """Distance of the inner lips in eye distances, from (..., 478, 3)."""
    between = np.linalg.norm(landmarks[..., UPPER_LIP, :2] - landmarks[..., LOWER_LIP, :2], axis=-1)
    return np.asarray(between / eye_distance(landmarks))


def requested_opening(coefficients: NDArray[np.floating]) -> Series:
    """(n,) inner opening in eye distances that the default family's renderer is asked for by (n, 8) coefficients."""
    jaw, close, _wide, _round, upper, lower, fv, _tongue = coefficients.astype(np.float64).T
    parted = 1 - close
    drop = (0.215 * jaw + 0.03 * lower) * parted * (1 - 0.8 * fv)
    return np.asarray(1.01 * drop + (0.03 * upper * (1 - 0.5 * fv) + 0.03 * lower) * parted + 0.016 * fv)


def closure_middles(phones: Path) -> list[float]:
    """Seconds at which the lips of a speaker are shut: the middles of the closures of a phones file."""
    closures = json.loads(phones.read_text(encoding="utf-8"))["closures"]
    return [(closure["start"] + closure["end"]) / 2 for closure in closures]


def frames_of(seconds: Sequence[float], frame_rate: Fraction, count: int) -> NDArray[np.int64]:
    """The frames on screen at those times, those beyond the last frame left out."""
    frames = np.floor(np.asarray(seconds) * float(frame_rate)).astype(np.int64)
    return frames[frames < count]


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


def outside_lower_face(shape: tuple[int, int], landmarks: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(height, width) True outside an ellipse of .75 x .70 eye distances around a point just below the mouth."""
    unit, along, mouth = mouth_frame(landmarks)
    x, y = mouth + 0.20 * unit * _down(along)
    axes = (round(0.75 * unit), round(0.70 * unit))
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    inside = np.zeros(shape, np.uint8)
    cv2.ellipse(inside, (round(x), round(y)), axes, angle, 0, 360, 1, cv2.FILLED)
    return np.asarray(inside == 0)


def decibels(squared_error: float) -> float:
    """PSNR of 8-bit samples; 99 stands for no difference at all."""
    return 99.0 if squared_error == 0 else min(99.0, float(10 * np.log10(255**2 / squared_error)))


def chin_sharpness(luma: Image, landmarks: NDArray[np.floating]) -> float:
    """Variance of the Laplacian of the skin half-way between the lower lip and the chin."""
    lip, chin = landmarks[LOWER_LIP_EDGE, :2], landmarks[CHIN, :2]
    x, y = (round(float(value)) for value in (lip + chin) / 2)
    half = max(4, round(0.3 * float(np.linalg.norm(chin - lip))))
    return float(cv2.Laplacian(luma[y - half : y + half, x - 2 * half : x + 2 * half], cv2.CV_64F).var())


def mouth_close_up(rgb: Image, landmarks: NDArray[np.floating], side: int = 192) -> Image:
    """(side, side, 3): the mouth upright, 1.2 eye distances wide."""
    unit, along, mouth = mouth_frame(landmarks)
    linear = np.column_stack([along, _down(along)]) * (1.2 * unit / side)
    centre = mouth + 0.08 * unit * _down(along)
    affine = np.column_stack([linear, centre - linear @ np.full(2, side / 2)])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(rgb, affine, (side, side), flags=flags), np.uint8)


def flicker(close_ups: Sequence[Image]) -> float:
    """Mean change of the luma from one frame to the next in upright close-ups of the mouth."""
    lumas = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in close_ups]
    return float(np.mean([np.abs(after - before).mean() for before, after in pairwise(lumas)]))


def _down(along: Series) -> Series:
    return np.array([-along[1], along[0]])
