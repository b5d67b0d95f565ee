"""From phones with times to mouth coefficients: every phone pulls the mouth towards its shape, near phones more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from export.training.phones import BILABIALS, CLASSES, LABIODENTALS, SHAPES, SILENCE, VOWELS, Segment

RATE: Final = 80
"""Columns a second"""
_SMOOTHING: Final = 0.018
_CLOSE_EDGE: Final = 0.055
_FV_EDGE: Final = 0.060
"""Seconds in which the lips come together before a hold, and part after it"""
_WEAK_HOLD: Final = 1e-3


def coefficients(
    segments: Sequence[Segment], columns: int, level_db: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """(columns, 8) at 80 a second, as the net shall give them; loud vowels (levels per column in dB) open wider."""
    times = np.arange(columns) / RATE
    real = [segment for segment in segments if segment.end > segment.start + 1e-3]
    louder = _vowel_gains(real, level_db)
    wanted = np.array([_shape_row(segment, gain) for segment, gain in zip(real, louder, strict=True)])
    insistence = np.array([_insistence_row(segment) for segment in real])
    pull = np.stack([_pull(segment, times) for segment in real])
    weight = pull.T @ insistence
    blended = (pull.T @ (insistence * wanted)) / (weight + 1e-6)
    blended = gaussian_filter1d(blended, _SMOOTHING * RATE, axis=0, mode="nearest")
    jaw, wide, rounding, upper, lower, tongue = blended.T
    close = _bumps([s for s in real if s.symbol in BILABIALS], times, _CLOSE_EDGE)
    teeth = _bumps([s for s in real if s.symbol in LABIODENTALS], times, _FV_EDGE)
    return np.stack([jaw, close, wide, rounding, upper, lower, teeth, tongue], axis=1).astype(np.float32)


def classes(segments: Sequence[Segment], columns: int) -> NDArray[np.int64]:
    """(columns,) index into phones.CLASSES of the phone that sounds; silence where none does."""
    labels = np.zeros(columns, np.int64)
    for segment in segments:
        first, last = int(np.ceil(segment.start * RATE)), int(np.ceil(segment.end * RATE))
        labels[max(first, 0) : max(last, 0)] = CLASSES.index(segment.symbol)
    return labels


def holds(segments: Sequence[Segment], symbols: frozenset[str]) -> list[tuple[float, float]]:
    """Seconds in which each of the phones in `symbols` is surely held."""
    return [segment.hold for segment in segments if segment.symbol in symbols]


def _vowel_gains(segments: Sequence[Segment], level_db: NDArray[np.float32] | None) -> list[float]:
    if level_db is None:
        return [1.0] * len(segments)
    peaks = [
        float(level_db[int(s.start * RATE) : int(s.end * RATE) + 1].max(initial=-90.0)) if s.symbol in VOWELS else None
        for s in segments
    ]
    known = [peak for peak in peaks if peak is not None]
    median = float(np.median(known)) if known else 0.0
    return [1.0 if peak is None else float(np.clip(1 + 0.035 * (peak - median), 0.65, 1.15)) for peak in peaks]


def _shape_row(segment: Segment, gain: float) -> tuple[float, ...]:
    shape = SHAPES[segment.symbol]
    return shape.jaw * gain, shape.wide, shape.round, shape.upper, shape.lower, shape.tongue


def _insistence_row(segment: Segment) -> NDArray[np.float64]:
    row = np.array(SHAPES[segment.symbol].insistence)
    seconds = segment.end - segment.start
    if segment.symbol in VOWELS:
        # A reduced vowel barely moves the mouth.
        row *= np.clip(seconds / 0.09, 0.45, 1.15)
    elif segment.symbol == SILENCE:
        row *= np.clip(seconds / 0.12, 0.15, 1.6)
    return row


def _pull(segment: Segment, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """(columns,) 1 in the middle, somewhat less at the ends, fading exponentially outside."""
    before, after = SHAPES[segment.symbol].reach
    outside = np.maximum(segment.start - times, 0) / before + np.maximum(times - segment.end, 0) / after
    middle, half = (segment.start + segment.end) / 2, max((segment.end - segment.start) / 2, _WEAK_HOLD)
    faded: NDArray[np.float64] = np.exp(-outside) * (1 - 0.35 * np.clip(np.abs(times - middle) / half, 0, 1) ** 2)
    return faded


def _bumps(segments: Sequence[Segment], times: NDArray[np.float64], edge: float) -> NDArray[np.float64]:
    """(columns,) 1 while any is held, raised cosines of `edge` seconds to either side."""
    track = np.zeros(len(times))
    for segment in segments:
        start, end = segment.hold
        away = np.maximum(np.maximum(start - times, times - end), 0)
        track = np.maximum(track, 0.5 + 0.5 * np.cos(np.pi * np.clip(away / edge, 0, 1)))
    return track
