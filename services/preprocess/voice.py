"""Whether somebody speaks: the probability at every mel column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.preprocess.detection import Inference
from services.preprocess.faces import MEL_RATE
from services.preprocess.mel import SAMPLE_RATE, Levelled

_STEP: Final = 512
_CONTEXT: Final = 64
_HIDDEN: Final = 128
_STEPS: Final = 512
"""Steps of one request: 16 s, 1 MB"""
_SPOKEN: Final = 0.5
"""Probability from which on a column counts as spoken"""
_LEAST_COLUMNS: Final = MEL_RATE // 4
"""A quarter of a second of speech in all"""


def voice_of(samples: NDArray[np.float32], triton: Inference) -> NDArray[np.float32]:
    """(1 + n // 200,) probability that a voice speaks, 0..1, of mono samples (n,) at 16 kHz."""
    steps = 1 + len(samples) // _STEP
    heard = Levelled(samples)
    state = np.zeros((1, 2, _HIDDEN), np.float32)
    pieces = []
    # The state goes on from request to request, so that they agree with one over the whole recording.
    for start in range(0, steps, _STEPS):
        stop = min(start + _STEPS, steps)
        piece = heard.part(start * _STEP - _CONTEXT, stop * _STEP)[None]
        answer = triton.infer("voice_activity", {"samples": piece, "state": state}, ["voice", "next_state"])
        pieces.append(answer["voice"][0])
        state = answer["next_state"].astype(np.float32, copy=False)
    middles = (np.arange(steps) + 0.5) * _STEP
    columns = np.arange(1 + len(samples) * MEL_RATE // SAMPLE_RATE) * (SAMPLE_RATE / MEL_RATE)
    voice: NDArray[np.float32] = np.interp(columns, middles, np.concatenate(pieces)).astype(np.float32)
    return voice


def speech_is_heard(blocks: Iterable[NDArray[np.float32]], triton: Inference, most: float) -> bool:
    """True as soon as a quarter of a second of speech was found in up to `most` mono samples at 16 kHz."""
    spoken = heard = 0
    for samples in _pieces(blocks):
        spoken += int((voice_of(samples, triton) > _SPOKEN).sum())
        heard += len(samples)
        if spoken >= _LEAST_COLUMNS or heard >= most:
            break
    return spoken >= _LEAST_COLUMNS


def _pieces(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """The same samples in pieces of 16 s."""
    waiting: list[NDArray[np.float32]] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= _STEPS * _STEP:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)
