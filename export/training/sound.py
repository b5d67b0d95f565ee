"""Sound as the served net hears it: files, levelling, log-mel columns, noise gate, as the services have them."""

from __future__ import annotations

from functools import cache
from math import gcd
from pathlib import Path
from typing import Final

import av  # noqa: TID251 -- the services, whose FFmpeg rule this is, are never imported here
import librosa
import numpy as np
import scipy.signal
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

Samples = NDArray[np.float32]

Unreadable = av.error.FFmpegError
"""What read raises where FFmpeg gives up"""

RATE: Final = 16_000
HOP: Final = 200
BANDS: Final = 80
_WINDOW: Final = 800
_LIMIT: Final = 4.0


def read(path: Path) -> Samples:
    """Mono samples (n,) at 16 kHz of any file that FFmpeg reads; .g722 has no header and needs its name."""
    pieces = []
    with av.open(str(path), format="g722" if path.suffix == ".g722" else None) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
        pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def resampled(samples: Samples, rate: int, new_rate: int = RATE) -> Samples:
    """The same sound at another rate."""
    common = gcd(rate, new_rate)
    return np.asarray(scipy.signal.resample_poly(samples, new_rate // common, rate // common), np.float32)


def columns_of(samples: Samples) -> int:
    """How many mel columns `samples` have."""
    return 1 + len(samples) // HOP


def level_db(samples: Samples) -> NDArray[np.float32]:
    """(columns,) level of the 25 ms round each column."""
    energy = _energy(samples)
    return (10 * np.log10(energy + 1e-9)).astype(np.float32)


def levelled(samples: Samples) -> Samples:
    """Active speech brought to -23 dB; never more than 30 times louder."""
    energy = _energy(samples)
    active = energy[energy >= max(float(np.percentile(energy, 95)) * 1e-3, 1e-12)]
    if active.size == 0:
        return samples
    gain = min(10 ** (-23 / 20) / (float(np.sqrt(active.mean())) + 1e-9), 30.0)
    return np.asarray(samples * gain, np.float32)


def mel(samples: Samples) -> NDArray[np.float32]:
    """(80, columns) log-mel of +-4, column k centred on sample 200 k; the caller levels the samples."""
    emphasised = scipy.signal.lfilter([1, -0.97], [1], samples).astype(np.float32)
    spectrum = np.abs(librosa.stft(emphasised, n_fft=_WINDOW, hop_length=HOP, win_length=_WINDOW, pad_mode="constant"))
    decibels = 20 * np.log10(np.maximum(1e-5, _filters() @ spectrum)) - 20
    return np.asarray(np.clip(2 * _LIMIT * (decibels + 100) / 100 - _LIMIT, -_LIMIT, _LIMIT), np.float32)


def noise_gate(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """(columns,) 0 where nobody speaks, 1 in speech, as the default family applies it."""
    floor = max(float(np.percentile(level, 10)), float(np.percentile(level, 95)) - 42)
    opened = np.clip((level - floor - 3) / 6, 0, 1)
    return np.asarray(gaussian_filter1d(maximum_filter1d(opened, 9), 3.0, mode="nearest"), np.float32)


@cache
def _filters() -> NDArray[np.float32]:
    return np.asarray(librosa.filters.mel(sr=RATE, n_fft=_WINDOW, n_mels=BANDS, fmin=55, fmax=7600), np.float32)


def _energy(samples: Samples) -> NDArray[np.float64]:
    columns = columns_of(samples)
    hops = np.zeros(columns + 1)
    whole = samples[: (columns - 1) * HOP].astype(np.float64).reshape(-1, HOP)
    hops[1:columns] = (whole**2).mean(axis=1)
    rest = samples[(columns - 1) * HOP :]
    hops[columns] = float(np.dot(rest, rest)) / HOP
    return (hops[:-1] + hops[1:]) / 2
