"""Hearing a recording of any length with Whisper's layers, in the pieces in which the services hear it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.training.sound import Samples

Frames = NDArray[np.float32]
"""(any, frames), 50 frames a second"""
Encode = Callable[[Samples], Frames]
"""Samples (320 frames,) -> frames"""

_FRAME: Final = 320
"""As export.whisper has it"""
_PIECE: Final = 500
_MARGIN: Final = 50
"""Frames of a piece, and of what it hears beyond its ends"""


def heard(samples: Samples, encode: Encode) -> Frames:
    """All 1 + n // 320 frames of levelled samples (n,)."""
    frames = 1 + len(samples) // _FRAME
    padded = np.pad(samples, (0, frames * _FRAME - len(samples)))
    pieces = []
    for start in range(0, frames, _PIECE):
        stop = min(start + _PIECE, frames)
        left, right = max(0, start - _MARGIN), min(frames, stop + _MARGIN)
        pieces.append(encode(padded[left * _FRAME : right * _FRAME])[:, start - left : stop - left])
    return np.concatenate(pieces, axis=1)
