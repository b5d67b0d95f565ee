"""What a net hears in each frame: where nobody speaks, and Wav2Lip's mel windows with digital silence there."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.jobs.options import RenderOptions
from services.preprocess.faces import MEL_BANDS, MEL_RATE, Speech
from services.render.families.silence import TAIL, movement, presence, sample_presence, speaking

WINDOW: Final = 16
"""Columns of a frame: 200 ms from the frame's beginning on"""
_SILENT: Final = -4.0
"""A mel column of digital silence"""


class Pauses:
    """Where a recording moves the mouth, and where the mouth is shown."""

    def __init__(self, speech: Speech, options: RenderOptions) -> None:
        spoken = speaking(np.pad(speech.voice, (0, TAIL)))
        self.moves = movement(spoken)
        """(columns,) 1 where somebody speaks, 0 where the net shall hear silence; 0 behind the recording's end"""
        self._shown = presence(spoken) if options.silence == "source" else np.ones(1, np.float32)

    def shown(self, frames: NDArray[np.int64], frame_rate: Fraction) -> NDArray[np.float32]:
        """(m,) 0..1: how much of the mouth to show in the middle of each frame."""
        return sample_presence(self._shown, frames, frame_rate)


class Sound(Pauses):
    """A recording as a net hears it that takes mel windows."""

    def __init__(self, speech: Speech, options: RenderOptions) -> None:
        super().__init__(speech, options)
        self._mel = speech.mel

    def windows(self, frames: NDArray[np.int64], frame_rate: Fraction) -> NDArray[np.float32]:
        """(m, 80, 16): column 80 i / rate of frame i and the 15 behind it, silent in pauses and beyond the end.

        Noise and music in a pause would move the lips; the net rests them when it hears nothing.
        """
        windows = np.full((len(frames), MEL_BANDS, WINDOW), _SILENT, np.float32)
        for window, frame in zip(windows, frames.tolist(), strict=True):
            start = int(Fraction(MEL_RATE * frame) / frame_rate)
            stop = min(start + WINDOW, self._mel.shape[1])
            if start < stop:
                heard, moves = self._mel[:, start:stop], self.moves[start:stop]
                window[:, : stop - start] = _SILENT + (heard - _SILENT) * moves
        return windows
