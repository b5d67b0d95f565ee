"""Speech as the models eat it: levelled log-mel columns at 80 Hz, their levels, and the windows of frames."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import librosa
import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import MEL_BANDS, MEL_RATE

SAMPLE_RATE: Final = 16_000
_HOP: Final = SAMPLE_RATE // MEL_RATE
_WINDOW: Final = 800
_PRE_EMPHASIS: Final = 0.97
_LEVEL_DB: Final = -23.0
_MOST_GAIN: Final = 30.0
_ACTIVE_SHARE: Final = 1e-3
"""Of the loud parts' energy: what is quieter is no speech"""
_LEAST_ENERGY: Final = 1e-9
"""Added to that of every column: -90 dB"""
_LIMIT: Final = 4.0
SILENCE: Final = -_LIMIT
"""What mel columns hold where there is no sound"""
_BLOCK_COLUMNS: Final = 30 * MEL_RATE


def mel_of(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mel (80, columns) and level in dB (columns,) of mono samples (n,) at 16 kHz.

    There are 1 + n // 200 columns; column k is centred on sample 200 k.
    """
    energy = column_energy(samples)
    gain = speech_gain(energy)
    filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_WINDOW, n_mels=MEL_BANDS, fmin=55, fmax=7600)
    columns = len(energy)
    mel = np.empty((MEL_BANDS, columns), np.float32)
    # Block by block: the spectrum of ten minutes would take 150 MB at once.
    for start in range(0, columns, _BLOCK_COLUMNS):
        stop = min(start + _BLOCK_COLUMNS, columns)
        mel[:, start:stop] = _mel_block(samples, start, stop, gain, filters)
    return mel, (10 * np.log10(energy + _LEAST_ENERGY)).astype(np.float32)


def column_energy(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """(1 + n // 200,) mean square of the 25 ms round each column's centre."""
    columns = 1 + len(samples) // _HOP
    hops = np.zeros(columns + 1)
    for hop in range(columns):
        part = samples[hop * _HOP : (hop + 1) * _HOP]
        hops[hop + 1] = float(np.dot(part, part)) / _HOP
    return (hops[:-1] + hops[1:]) / 2


def speech_gain(energy: NDArray[np.float64]) -> float:
    """The factor that brings active speech to -23 dB; never above 30, so that noise stays noise."""
    active = energy[energy >= max(float(np.percentile(energy, 95)) * _ACTIVE_SHARE, 1e-12)]
    if active.size == 0:
        return 1.0
    return min(10 ** (_LEVEL_DB / 20) / (float(np.sqrt(active.mean())) + 1e-9), _MOST_GAIN)


def gain_of_levels(level_db: NDArray[np.float32]) -> float:
    """The same factor, from the levels (columns,) that mel_of gave."""
    return speech_gain(np.maximum(10 ** (level_db.astype(np.float64) / 10) - _LEAST_ENERGY, 0))


class Levelled:
    """Samples (n,) with active speech at -23 dB, as every model hears them; silence lies round them.

    Only what is asked for is made: a second copy of two hours would take 460 MB.
    """

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self._samples = samples
        self._gain = np.float32(speech_gain(column_energy(samples)))

    def part(self, start: int, stop: int) -> NDArray[np.float32]:
        """(stop - start,); either may lie beyond the recording's ends."""
        part = np.zeros(stop - start, np.float32)
        low, high = max(start, 0), min(stop, len(self._samples))
        if low < high:
            part[low - start : high - start] = self._samples[low:high] * self._gain
        return part


def mel_window(mel: NDArray[np.float32], frame: int, frame_rate: Fraction, columns: int) -> NDArray[np.float32]:
    """(80, columns) round the middle of output frame `frame`; silence beyond the recording's ends."""
    middle = Fraction(2 * frame + 1, 2) / frame_rate * MEL_RATE
    first = (middle - Fraction(columns - 1, 2) + Fraction(1, 2)).__floor__()
    window = np.full((MEL_BANDS, columns), SILENCE, np.float32)
    low, high = max(first, 0), min(first + columns, mel.shape[1])
    if low < high:
        window[:, low - first : high - first] = mel[:, low:high]
    return window


def _mel_block(
    samples: NDArray[np.float32], start: int, stop: int, gain: float, filters: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(80, stop - start) columns of the levelled, pre-emphasised recording, with silence round it."""
    first = start * _HOP - _WINDOW // 2
    last = (stop - 1) * _HOP + _WINDOW // 2
    padded = np.zeros(last - first + 1, np.float32)
    low, high = max(first - 1, 0), min(last, len(samples))
    if low < high:
        padded[low - first + 1 : high - first + 1] = samples[low:high] * gain
    emphasised = padded[1:] - np.float32(_PRE_EMPHASIS) * padded[:-1]
    # The filter ends with the recording, it does not ring on.
    emphasised[max(len(samples) - first, 0) :] = 0
    spectrum = np.abs(librosa.stft(emphasised, n_fft=_WINDOW, hop_length=_HOP, win_length=_WINDOW, center=False))
    decibels = 20 * np.log10(np.maximum(1e-5, filters @ spectrum)) - 20
    return np.asarray(np.clip(2 * _LIMIT * (decibels + 100) / 100 - _LIMIT, -_LIMIT, _LIMIT), np.float32)
