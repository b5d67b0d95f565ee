"""How a photographed head moves over time: slow seeded noise, nods with the speech, blinks. Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import MEL_RATE, Speech

Array = NDArray[np.floating[Any]]

SLIDE, DIP, ROLL, YAW, PITCH = range(5)
"""Columns of the sway: to the right and down in face units, clockwise, to the right and down in radians"""
_SPREAD: Final = np.array([0.010, 0.006, np.radians(0.5), np.radians(1.3), np.radians(0.9)])
"""Of the slow noise while the person speaks"""
LARGEST_SWAY: Final = np.array([0.02, 0.02, np.radians(1.1), np.radians(2.6), np.radians(2.6)])
_PITCH_NOD, _DIP_NOD = np.radians(1.3), 0.007
_PITCH_SETTLED, _DIP_SETTLED = np.radians(0.5), 0.003
_CALM: Final = 0.45
"""Of the noise that stays in a pause"""
_SPEECH_RANGE: Final = 32.0
"""dB from the loudest vowels down to what counts as a pause"""
_QUIETEST: Final = -55.0
"""dB; a recording whose loudest parts are below it holds no speech"""
_DOUBLE: Final = 0.12
"""How many blinks are followed by another at once"""
_WAVES: Final = 9
_SLOWEST, _FASTEST = 0.06, 0.9
"""Hertz"""


@dataclass(frozen=True, slots=True)
class MotionCurves:
    """Where the head and the lids are in every frame of the output."""

    sway: Array
    """(frames, 5), see SLIDE .. PITCH"""
    closed: Array
    """(frames,) 0: the eyes are as in the photo .. 1: shut"""


def motion_curves(speech: Speech, frame_rate: Fraction, frames: int, seed: str, poster: int) -> MotionCurves:
    """The motion of one job of `frames` >= 1; the same `seed` gives the same motion.

    In frame number `poster` and in the last one the eyes are open.
    """
    chance = np.random.default_rng(int.from_bytes(sha256(seed.encode()).digest()[:8]))
    seconds = (np.arange(frames) + 0.5) / float(frame_rate)
    columns = np.arange(len(speech.level_db)) / MEL_RATE
    loudness = _loudness(speech)
    talking = np.interp(seconds, columns, _blurred(loudness, 0.45), right=0)
    # Stressed words rise above their phrase about once a second; nodding with every syllable would look nervous.
    stress = _blurred(np.maximum(_blurred(loudness, 0.2) - _blurred(loudness, 0.8), 0), 0.1)
    accent = np.tanh(4.5 * np.interp(seconds, columns, stress, right=0))

    noise = np.column_stack([_slow_noise(seconds, chance) for _ in _SPREAD])
    sway = noise * _SPREAD * (_CALM + (1 - _CALM) * talking)[:, None]
    sway[:, PITCH] += _PITCH_NOD * accent + _PITCH_SETTLED * (1 - talking)
    sway[:, DIP] += _DIP_NOD * accent + _DIP_SETTLED * (1 - talking)
    sway = LARGEST_SWAY * np.tanh(sway / LARGEST_SWAY)
    phrase_ends = _phrase_ends(columns, _blurred(loudness, 0.15))
    return MotionCurves(sway, _blinks(seconds, phrase_ends, seconds[[poster, -1]], chance))


def _loudness(speech: Speech) -> Array:
    """(columns,) 0 where no voice speaks .. 1 in its loudest vowels."""
    level_db = speech.level_db.astype(np.float64)
    loud = max(float(np.percentile(level_db, 95)), _QUIETEST)
    return np.asarray(np.clip((level_db - loud) / _SPEECH_RANGE + 1, 0, 1) * speech.voice)


def _blurred(curve: Array, seconds: float) -> Array:
    return np.asarray(cv2.GaussianBlur(curve[None], (0, 0), seconds * MEL_RATE, borderType=cv2.BORDER_REPLICATE)[0])


def _slow_noise(seconds: Array, chance: np.random.Generator) -> Array:
    """Waves whose power falls with their frequency; spread 1, no step or repetition within an hour."""
    ratio = (_FASTEST / _SLOWEST) ** (1 / (_WAVES - 1))
    hertz = _SLOWEST * ratio ** (np.arange(_WAVES) + chance.uniform(-0.3, 0.3, _WAVES))
    heights = hertz**-0.8
    heights *= np.sqrt(2 / np.square(heights).sum())
    phases = chance.uniform(0, 2 * np.pi, _WAVES)
    total = np.zeros_like(seconds)
    for height, speed, phase in zip(heights, hertz, phases, strict=True):
        total += height * np.sin(2 * np.pi * speed * seconds + phase)
    return total


def _phrase_ends(columns: Array, talking: Array) -> Array:
    """Seconds at which somebody stops speaking for a moment."""
    speaks = talking > 0.25
    return columns[1:][speaks[:-1] & ~speaks[1:]]


def _blinks(seconds: Array, phrase_ends: Array, awake: Array, chance: np.random.Generator) -> Array:
    """(frames,) how far the lids are shut; blinks that would touch the `awake` seconds are left out."""
    closed = np.zeros_like(seconds)
    start = chance.uniform(0.8, 3.0)
    while start < seconds[-1]:
        down, hold, up = chance.uniform(0.13, 0.17), chance.uniform(0.03, 0.05), chance.uniform(0.17, 0.24)
        end = start + down + hold + up
        if not ((awake > start) & (awake < end)).any():
            falling = np.clip((seconds - start) / down, 0, 1)
            rising = np.clip((seconds - end + up) / up, 0, 1)
            # The lid falls evenly, and comes up fast first, then ever slower.
            closed = np.maximum(closed, falling * falling * (3 - 2 * falling) * (1 - rising) ** 2.5)
        double = chance.random() < _DOUBLE
        start = end + chance.uniform(0.05, 0.15) if double else _next_blink(start, phrase_ends, chance)
    return closed


def _next_blink(last: float, phrase_ends: Array, chance: np.random.Generator) -> float:
    """Two to six seconds later, as often as not about the end of a phrase when there is one."""
    fitting = phrase_ends[(phrase_ends > last + 2) & (phrase_ends < last + 6)]
    anywhere, by_phrase, which = last + chance.uniform(2, 6), chance.random() < 0.5, chance.random()
    # Not at once, or the photos of a batch would blink in unison.
    about = chance.uniform(0, 0.5)
    return float(fitting[int(which * len(fitting))] + about) if len(fitting) and by_phrase else float(anywhere)
