"""Where the mouth rests: stretches of speech from the probability of a voice, and how softly they begin and end."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.render.families.columns import columns_at

# In columns of 12.5 ms. Chosen by isolated words and sentences in noise and music, and by these without speech.
_FAINT: Final = 0.3
"""A stretch of speech lasts as long as its voice is above this"""
_SURE: Final = 0.6
"""and has this at least for"""
_SHORTEST: Final = 10
_LEAD: Final = 12
"""Lips shut for /p b m/ and open for vowels before there is anything to hear"""
_HANG: Final = 8
_BREATH: Final = 36
"""So long before a stretch the mouth opens for the breath, .6 s before the voice: each of five talkers of the GRID
corpus opens by .05 to .17 eye distances"""
_BRIEF: Final = 48
"""In a pause shorter than this the footage's own mouth does not show: it would only flash up"""
TAIL: Final = 48
"""Columns after a recording's end by which the mouth rests and is gone"""


def speaking(voice: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(columns,) True from shortly before to shortly after each stretch of speech."""
    spoken = np.zeros(voice.size, np.bool_)
    for start, stop in _stretches(voice > _FAINT):
        if np.count_nonzero(voice[start:stop] > _SURE) >= _SHORTEST:
            spoken[max(start - _LEAD, 0) : stop + _HANG] = True
    return spoken


def movement(spoken: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(columns,) 1 where the mouth moves, 0 where it rests."""
    return _soft(spoken, sigma=3)


def breath(spoken: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(columns,) 1 from the breath before each stretch of speech until the voice is there, else 0."""
    drawn = np.zeros(spoken.size, np.bool_)
    for start, _ in _stretches(spoken):
        drawn[max(start - _BREATH, 0) : start + _LEAD] = True
    return _soft(drawn, sigma=8)


def presence(spoken: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(columns,) 1 where the mouth is shown, 0 in longer pauses; it comes before the mouth moves and goes after."""
    shown = spoken.copy()
    for start, stop in _stretches(~spoken):
        if start > 0 and stop < shown.size and stop - start < _BRIEF:
            shown[start:stop] = True
    wider = np.convolve(shown, np.ones(2 * _HANG + 1), "same") > 0.5
    return _soft(wider, sigma=6)


def sample_presence(
    presence: NDArray[np.float32], frames: NDArray[np.int64], frame_rate: Fraction
) -> NDArray[np.float32]:
    """(m,): the presence in the middle of each of the m frames; after the last column it stays as it is."""
    return columns_at(presence[:, None], (frames + 0.5) / float(frame_rate))[:, 0]


def _stretches(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, stop) of every run of True."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _soft(mask: NDArray[np.bool_], *, sigma: float) -> NDArray[np.float32]:
    soft: NDArray[np.float32] = cv2.GaussianBlur(
        mask[None].astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE
    )[0]
    return soft
