"""How much like a mouth the picture is where the landmarks say that one is, with nothing to compare it to.

The landmark model places a mouth behind a hand, too. But only a mouth has lips that are redder than the skin above and
below them, and only between lips runs a line that is darker than both, or teeth that are brighter.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.landmarks import LEFT_EYE, RIGHT_EYE

Array = NDArray[np.float64]

# From corner to corner without the corners themselves: the lips' outer and inner edges.
_UPPER_OUTER: Final = (185, 40, 39, 37, 0, 267, 269, 270, 409)
_UPPER_INNER: Final = (191, 80, 81, 82, 13, 312, 311, 310, 415)
_LOWER_INNER: Final = (95, 88, 178, 87, 14, 317, 402, 318, 324)
_LOWER_OUTER: Final = (146, 91, 181, 84, 17, 314, 405, 321, 375)
_SKIN_MARGIN: Final = 0.06
"""Eye distances beyond the lips, where the skin is looked at"""
_ACROSS: Final = np.linspace(-1, 1, 9)[:, None, None]
"""Where the line between the lips is looked for: from lip to lip"""
_LEAST_REACH, _LIPS_REACH = 0.075, 1.3
"""Half of that way: eye distances, and shares of the way from the middle of the lips to the line"""
_LUMA: Final = np.array([0.3, 0.59, 0.11])
_LUMA_FLOOR, _CHROMA_FLOOR = 10.0, 15.0
"""Added to 0..255, so that noise in the dark is no lip"""
_RED_ENOUGH: Final = 0.2
"""Chroma by which lips are redder, for full evidence"""
_LINE: Final = (0.1, 0.35)
"""log2 luma by which the line differs, for no evidence and for as much as the reddest lips give"""
_LINE_COUNTS: Final = 2.0
"""How much evidence a strong line is; a grey picture has nothing else"""
_NOTHING, _PLENTY = 0.2, 1.0
"""Evidence of the weakest part below which something lies over it, if the strongest has more than that. Measured: a
finger over the middle of ten faces leaves it 0 to .1, half a hand a side 0 to .05; bare, no part of them has less than
.6 but in blown-out light and under a large moustache, for moments"""
_COLOURED: Final = 0.4
"""Of full redness, what the reddest part must have for that: in a grey picture hair hides a part as a finger does"""
_BLURRED_FROM: Final = 40.0
"""Eye distance in pixels from which noise is taken out; the lips of smaller faces would go with it"""


def mouth_evidence(picture: NDArray[np.uint8], points: NDArray[Any], eyes: float) -> float:
    """0..3: what the second best of the three parts of the mouth has to show: nearly 0 behind a thing that hides one.

    Measured: bare mouths have 0.6 to 3, whoever's and however lit, half of them 2; 0.5 where a beard hides the lips.

    `points` (478, 2) are the landmarks in the pixels of the RGB `picture`, `eyes` is the eye distance there.
    """
    top, upper, lower, bottom = (
        points[list(edge)] for edge in (_UPPER_OUTER, _UPPER_INNER, _LOWER_INNER, _LOWER_OUTER)
    )
    down = _down(points)
    margin, lips = _SKIN_MARGIN * eyes * down, ((top + upper) / 2, (lower + bottom) / 2)
    reach = _LIPS_REACH * np.linalg.norm(lips[1] - lips[0], axis=1, keepdims=True) / 2
    across = (upper + lower) / 2 + _ACROSS * np.maximum(_LEAST_REACH * eyes, reach) * down
    side = 3 if eyes > _BLURRED_FROM else 1
    colours = _colours(
        cv2.blur(picture, (side, side)), np.concatenate([[top - margin, *lips, bottom + margin], across])
    )
    evidence = np.clip(_redness(colours[:4]) / _RED_ENOUGH, 0, 1)
    line = (_line(colours[4:]) - _LINE[0]) / (_LINE[1] - _LINE[0])
    weakest, middle, strongest = np.sort(evidence + np.clip(line, 0, _LINE_COUNTS)).tolist()
    told = strongest > _PLENTY and float(evidence.max()) > _COLOURED
    return float(weakest if weakest < _NOTHING and told else middle)


def _down(points: NDArray[Any]) -> Array:
    """(2,) unit: down the face, at right angles to the eyes."""
    along = points[RIGHT_EYE] - points[LEFT_EYE]
    return np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-3)


def _colours(picture: NDArray[Any], at: Array) -> Array:
    """(rows, columns, 3) at places (rows, columns, 2)."""
    x, y = np.moveaxis(at - 0.5, -1, 0).astype(np.float32)
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float64)


def _redness(colours: Array) -> Array:
    """(3,) how much redder the redder lip is than the skin on both sides; rows: skin, lip, lip, skin."""
    red = (colours[..., 0] - colours[..., 1]) / (colours.mean(axis=2) + _CHROMA_FLOOR)
    above, upper, lower, below = _parts(red)
    return np.asarray(np.maximum(upper, lower) - np.maximum(above, below))


def _line(colours: Array) -> Array:
    """(3,) log2 luma by which what lies between the lips is darker, or brighter, than both."""
    luma = _parts(np.log2(colours @ _LUMA + _LUMA_FLOOR))
    upper, between, lower = luma[:3], luma[2:7], luma[6:]
    darker = np.minimum(upper.max(axis=0), lower.max(axis=0)) - between.min(axis=0)
    brighter = between.max(axis=0) - np.maximum(upper.min(axis=0), lower.min(axis=0))
    return np.asarray(np.maximum(darker, brighter))


def _parts(values: Array) -> Array:
    """(rows, 3) means over the three parts of the mouth."""
    return np.asarray(values.reshape(len(values), 3, -1).mean(axis=2))
