"""What rooms, microphones, lines, other people and machines do to speech, at random, on the waveform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy.signal
from numpy.random import Generator
from numpy.typing import NDArray

from export.training.sound import RATE, Samples

_NYQUIST: Final = RATE / 2


def disturbed(speech: Samples, backgrounds: Sequence[Samples], chance: Generator) -> Samples:
    """The same length of speech, coloured, in a room, over a line, with a background (music, other voices)."""
    made = speech.astype(np.float64)
    made = _coloured(made, chance)
    if chance.random() < 0.5:
        made = _in_room(made, chance)
    if chance.random() < 0.5:
        made = made + _background(made, backgrounds, chance)
    if chance.random() < 0.2:
        made = _over_line(made, chance)
    if chance.random() < 0.15:
        made = _clipped(made, chance)
    return np.asarray(made * 10 ** (chance.uniform(-12, 3) / 20), np.float32)


def noise(samples: int, chance: Generator) -> NDArray[np.float64]:
    """Noise of unit power: white to brown, or narrow, sometimes with a slow swell."""
    made = chance.standard_normal(samples)
    kind = chance.random()
    if kind < 0.7:
        made = scipy.signal.lfilter([1], [1, -chance.uniform(0.3, 0.98)], made)
    elif kind < 0.85:
        low = chance.uniform(80, 3000)
        sections = scipy.signal.butter(2, [low, min(low * chance.uniform(1.5, 4), 7800)], "band", fs=RATE, output="sos")
        made = scipy.signal.sosfilt(sections, made)
    if chance.random() < 0.3:
        swell = np.interp(np.arange(samples), np.linspace(0, samples, 8), chance.uniform(0.1, 1, 8))
        made = made * swell
    return np.asarray(made / (np.sqrt((made**2).mean()) + 1e-9), np.float64)


def breaths(samples: int, chance: Generator) -> NDArray[np.float64]:
    """Silence with breaths in it: 0.2-0.6 s of coloured noise that swells and stops; peak power about 1."""
    made = np.zeros(samples)
    for _ in range(max(1, samples // (2 * RATE))):
        length = int(RATE * chance.uniform(0.2, 0.6))
        if length >= samples:
            continue
        band = [chance.uniform(200, 900), chance.uniform(2500, 7000)]
        sections = scipy.signal.butter(1, band, "band", fs=RATE, output="sos")
        sound = scipy.signal.sosfilt(sections, chance.standard_normal(length))
        sound *= np.hanning(length) / (np.abs(sound).std() + 1e-9)
        start = int(chance.integers(0, samples - length))
        made[start : start + length] += sound
    return made


def clicks(samples: int, chance: Generator) -> NDArray[np.float64]:
    """Silence with knocks and clicks: short decaying resonances."""
    made = np.zeros(samples)
    for _ in range(int(chance.integers(1, 4 + 2 * samples // RATE))):
        length = int(RATE * chance.uniform(0.004, 0.12))
        if length >= samples:
            continue
        times = np.arange(length) / RATE
        tone = np.sin(2 * np.pi * chance.uniform(80, 4000) * times) * chance.random() + chance.standard_normal(length)
        start = int(chance.integers(0, samples - length))
        made[start : start + length] += tone * np.exp(-times * chance.uniform(30, 600)) * chance.uniform(0.3, 3)
    return made


def tones(samples: int, chance: Generator) -> NDArray[np.float64]:
    """Hum, beeps and chords."""
    times = np.arange(samples) / RATE
    made = np.zeros(samples)
    for _ in range(int(chance.integers(1, 5))):
        pitch = chance.choice([50, 60, 110, 147, 196, 262, 330, 440, 700, 1000, 1400])
        for harmonic in range(1, int(chance.integers(2, 6))):
            made += np.sin(2 * np.pi * pitch * harmonic * times + chance.uniform(0, 6)) / harmonic
        if chance.random() < 0.5:
            made *= np.interp(np.arange(samples), np.linspace(0, samples, 10), chance.random(10))
    return np.asarray(made / (np.sqrt((made**2).mean()) + 1e-9), np.float64)


def slice_of(sound: Samples, samples: int, chance: Generator) -> NDArray[np.float64]:
    """A random stretch of unit power, repeated where the sound is too short."""
    start = int(chance.integers(0, max(len(sound) - samples, 1)))
    made = np.resize(sound[start : start + samples], samples).astype(np.float64)
    return np.asarray(made / (np.sqrt((made**2).mean()) + 1e-9), np.float64)


def _background(speech: NDArray[np.float64], sounds: Sequence[Samples], chance: Generator) -> NDArray[np.float64]:
    power = float(np.sqrt((speech**2).mean()))
    kind = chance.random()
    if kind < 0.62:
        made, quieter = noise(len(speech), chance), chance.uniform(6, 50)
    elif kind < 0.80 and sounds:
        made = slice_of(sounds[int(chance.integers(len(sounds)))], len(speech), chance)
        quieter = chance.uniform(12, 40)
    elif kind < 0.88:
        made, quieter = tones(len(speech), chance), chance.uniform(12, 40)
    elif kind < 0.95:
        made, quieter = breaths(len(speech), chance), chance.uniform(10, 30)
    else:
        made, quieter = clicks(len(speech), chance), chance.uniform(5, 25)
    return made * power * 10 ** (-quieter / 20)


def _coloured(speech: NDArray[np.float64], chance: Generator) -> NDArray[np.float64]:
    for _ in range(int(chance.integers(0, 4))):
        kind = "low" if chance.random() < 0.5 else "high"
        sections = scipy.signal.butter(1, chance.uniform(150, 5000) / _NYQUIST, kind, output="sos")
        speech = speech + chance.uniform(-0.7, 1.5) * scipy.signal.sosfilt(sections, speech)
    return speech


def _in_room(speech: NDArray[np.float64], chance: Generator) -> NDArray[np.float64]:
    seconds = chance.uniform(0.05, 0.5)
    length = int(RATE * seconds)
    response = chance.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    response *= 10 ** (chance.uniform(-22, -4) / 20) / np.sqrt((response**2).sum())
    response[0] = 1
    return np.asarray(scipy.signal.fftconvolve(speech, response)[: len(speech)], np.float64)


def _over_line(speech: NDArray[np.float64], chance: Generator) -> NDArray[np.float64]:
    if chance.random() < 0.35:
        edges = [chance.uniform(100, 350), chance.uniform(3000, 3800)]
        speech = scipy.signal.sosfilt(scipy.signal.butter(3, edges, "band", fs=RATE, output="sos"), speech)
        peak = float(np.abs(speech).max()) + 1e-9
        companded = np.sign(speech) * np.log1p(255 * np.abs(speech) / peak) / np.log(256)
        coarse = np.round(companded * 127) / 127
        return np.asarray(np.sign(coarse) * np.expm1(np.abs(coarse) * np.log(256)) / 255 * peak, np.float64)
    edge = chance.uniform(3500, 7400)
    return np.asarray(scipy.signal.sosfilt(scipy.signal.butter(5, edge, fs=RATE, output="sos"), speech), np.float64)


def _clipped(speech: NDArray[np.float64], chance: Generator) -> NDArray[np.float64]:
    knee = np.percentile(np.abs(speech), chance.uniform(97, 99.9)) + 1e-9
    return np.asarray(knee * np.tanh(speech / knee), np.float64)
