"""How far a smile goes out of a face as its lips come together; the renderer takes its corners in by this rule."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.render.edits.folds import SoftFolds
from services.render.edits.smoothstep import smoothstep

_SHUT_HALF_WIDTH: Final = 0.315
"""Face units; a contract test holds these to the renderer's corners: a mouth whose lips touch is hardly ever wider"""
_SMILE_WIDTH: Final = 0.04
"""What a smile has beyond it on each side, from where on its folds go by their full share"""
_KEPT_SMILE: Final = 0.55
"""Share of its width that a shut mouth keeps"""
_SMILE_OPENING: Final = 0.09
"""Opening at which a smile is back"""
_PARTED: Final = (0.01, 0.05)
"""Opening at rest from which on teeth begin to show, and how much more shows them"""
_SOFTENED: Final = 0.65
"""Share of the folds that goes with a whole smile"""
_LEAST: Final = 0.02
_CHEEKS: Final = ((132, 58), (361, 288))
"""Landmarks of a face's edge beside the mouth: the left one, the right one, as pictured"""


def come_in(rest: NDArray[np.floating], opening: float) -> float:
    """Face units by which each corner of a face (478, 2) comes in from its rest, when it is asked to open so far."""
    return (0.25 + (0.75 - _KEPT_SMILE) * _together(opening)) * _smile(rest)


def soft_folds(rest: NDArray[np.floating], opening: float, weight: float) -> SoftFolds | None:
    """For a face (478, 2) at rest in face units, asked to open so far; `weight` is how much of an effect shows."""
    share = _SOFTENED * weight * (0.25 + 0.75 * _together(opening)) * smoothstep(_smile(rest) / _SMILE_WIDTH)
    if share < _LEAST:
        return None
    left, right = (rest[list(edge), 0] for edge in _CHEEKS)
    return SoftFolds(share, (float(left.max()), float(right.min())))


def _smile(rest: NDArray[np.floating]) -> float:
    """Face units on each side by which a mouth is wider than it is when shut."""
    half_width = float(rest[291, 0] - rest[61, 0]) / 2
    parted = smoothstep((float(rest[14, 1] - rest[13, 1]) - _PARTED[0]) / _PARTED[1])
    return max(half_width - _SHUT_HALF_WIDTH, 0) * parted


def _together(opening: float) -> float:
    return 1 - smoothstep(opening / _SMILE_OPENING)
