"""Forced alignment: where each phone of a known sequence lies in a sound, by the training net's own phone scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.training.phones import CLASSES, SILENCE, Segment, spread
from export.training.targets import RATE

_PAUSE_COST: Final = 3.0
"""What it costs to hear a pause between two words"""
_SHORTEST: Final = 2
"""Columns of a phone at least"""


@dataclass(frozen=True, slots=True)
class Alignment:
    """The phones with their times, and how well the scores speak for them (mean log ratio a column, best 0)."""

    segments: list[Segment]
    credit: float


def align(scores: NDArray[np.float32], words: Sequence[Sequence[str]]) -> Alignment | None:
    """`scores` (columns, classes) are log posteriors less log priors; None where the sound is too short for the words.

    Pauses are possible before, after and between words.
    """
    symbols, optional = _states(words)
    labels = np.array([CLASSES.index(symbol) for symbol in symbols])
    path = _best_path(scores[:, labels], optional)
    if path is None:
        return None
    credit = float((scores[np.arange(len(path)), labels[path]] - scores.max(axis=1)).mean())
    segments: list[Segment] = []
    edges = np.flatnonzero(np.diff(path // _SHORTEST)) + 1
    starts = np.concatenate([[0], edges])
    for start, end in zip(starts, np.concatenate([edges, [len(path)]]), strict=True):
        symbol = symbols[path[start]]
        # A column stands for the sound round its centre.
        first, last = max((int(start) - 0.5) / RATE, 0.0), (int(end) - 0.5) / RATE
        segments += spread([symbol] if symbol != SILENCE else [], first, last)
    return Alignment(segments, credit)


def _states(words: Sequence[Sequence[str]]) -> tuple[list[str], NDArray[np.bool_]]:
    """The sequence with pauses between the words, each as often as it must last; and what may be skipped."""
    sequence = [SILENCE]
    for word in words:
        sequence += [*word, SILENCE]
    symbols = [symbol for symbol in sequence for _ in range(_SHORTEST)]
    return symbols, np.array([symbol == SILENCE for symbol in symbols])


def _best_path(scores: NDArray[np.float32], optional: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Viterbi: stay, step on, or (between phones) skip a whole optional pause."""
    columns, states = scores.shape
    if columns < int((~optional).sum()):
        return None
    index = np.arange(states)
    may_skip = (index % _SHORTEST == 0) & (index >= 2 * _SHORTEST)
    skipped = index - _SHORTEST - 1
    may_skip &= optional[np.maximum(skipped + 1, 0)] & ~optional
    entering_pause = optional & (index % _SHORTEST == 0) & (index > 0) & (index < states - _SHORTEST)
    best = np.full(states, -np.inf)
    best[0], best[_SHORTEST] = scores[0, 0], scores[0, _SHORTEST]
    came = np.zeros((columns, states), np.int8)
    for column in range(1, columns):
        stepped = np.concatenate([[-np.inf], best[:-1]]) - _PAUSE_COST * entering_pause
        jumped = np.where(may_skip, best[np.maximum(skipped, 0)], -np.inf)
        options = np.stack([best, stepped, jumped])
        came[column] = options.argmax(axis=0)
        best = options.max(axis=0) + scores[column]
    state = states - 1 if best[-1] >= best[-1 - _SHORTEST] else states - 1 - _SHORTEST
    if not np.isfinite(best[state]):
        return None
    path = np.empty(columns, np.int64)
    for column in range(columns - 1, -1, -1):
        path[column] = state
        state -= (0, 1, _SHORTEST + 1)[came[column, state]]
    return path
