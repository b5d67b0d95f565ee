"""Whether somebody speaks: the probability at every mel column."""

from __future__ import annotations

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
