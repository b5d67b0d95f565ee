"""How well predicted coefficients follow phones whose times are known. Coefficients are (columns, 8) at 80 a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.training.targets import RATE

Track = NDArray[np.float32]

_MADE: Final = 0.5
"""A closure, or the teeth on the lip, counts as made from here"""
_HIT_MARGIN: Final = 0.025
_PRECISION_MARGIN: Final = 0.060


@dataclass(frozen=True, slots=True)
class Hits:
    """Counts of events; adding them up pools recordings."""

    made: int = 0
    wanted: int = 0
    right: int = 0
    predicted: int = 0

    def __add__(self, other: Hits) -> Hits:
        return Hits(
            self.made + other.made,
            self.wanted + other.wanted,
            self.right + other.right,
            self.predicted + other.predicted,
        )

    @property
    def recall(self) -> float:
        """Of the wanted events, the share that was made; nan without any."""
        return self.made / self.wanted if self.wanted else float("nan")

    @property
    def precision(self) -> float:
        """Of the predicted events, the share that was wanted; nan without any."""
        return self.right / self.predicted if self.predicted else float("nan")


def hits(channel: Track, holds: Sequence[tuple[float, float]]) -> Hits:
    """Made: the channel passes .5 within 25 ms of the hold. Right: a predicted event lies within 60 ms of any hold."""
    made = 0
    for start, end in holds:
        first = max(0, int((start - _HIT_MARGIN) * RATE))
        near = channel[first : int((end + _HIT_MARGIN) * RATE) + 1]
        made += bool(near.size and near.max() > _MADE)
    edges = np.diff(np.concatenate([[0], (channel > _MADE).astype(int), [0]]))
    starts, ends = np.flatnonzero(edges == 1) / RATE, np.flatnonzero(edges == -1) / RATE
    right = sum(
        any(start - _PRECISION_MARGIN < stop and end + _PRECISION_MARGIN > begin for start, end in holds)
        for begin, stop in zip(starts, ends, strict=True)
    )
    return Hits(made, len(holds), right, len(starts))


def correlation(predicted: Track, wanted: Track) -> float:
    """Pearson's r; nan where either never moves."""
    if predicted.std() < 1e-6 or wanted.std() < 1e-6:
        return float("nan")
    return float(np.corrcoef(predicted, wanted)[0, 1])


def lag(predicted: Track, wanted: Track) -> int:
    """By how many columns the prediction comes too late (negative: too early), within +-12."""
    shifts = range(-12, 13)
    fits = [correlation(np.roll(predicted, -shift)[50:-50], wanted[50:-50]) for shift in shifts]
    return shifts[int(np.argmax(fits))]


def opening(coefficients: Track) -> Track:
    """(columns,) between the lips, in eye distances, as the default renderer draws it."""
    jaw, close, _, _, upper, lower, teeth, _ = coefficients.T
    parted = (0.215 * jaw + 0.03 * lower) * (1 - 0.8 * teeth) + 0.03 * upper + 0.03 * lower
    return np.asarray(parted * (1 - close), np.float32)
