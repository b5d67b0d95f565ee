"""How much like a mouth the picture is where the landmarks say that one is, with nothing to compare it to.

The landmark model places a mouth behind a hand, too. But only a mouth has lips that are redder than the skin above and
below them, and only between lips runs a line that is darker than both, or teeth that are brighter. And no part of a
mouth is as plain as a finger: from lip to lip it gets lighter or darker, in every skin, under hair and without colours.
"""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.face_picture import BLOWN_OUT, nearest_odd
from services.preprocess.landmarks import LEFT_EYE, RIGHT_EYE

Array = NDArray[np.float64]

# From corner to corner without the corners themselves: the lips' outer and inner edges.
_EDGES: Final = np.array(
    [
        (185, 40, 39, 37, 0, 267, 269, 270, 409),
        (191, 80, 81, 82, 13, 312, 311, 310, 415),
        (95, 88, 178, 87, 14, 317, 402, 318, 324),
        (146, 91, 181, 84, 17, 314, 405, 321, 375),
    ]
)
"""Upper outer, upper inner, lower inner, lower outer"""
LIPS: Final = _EDGES.ravel()
"""Landmarks round which a mouth's colours lie"""
_SKIN_MARGIN: Final = 0.06
"""Eye distances beyond the lips, where the skin is looked at"""
_ACROSS: Final = np.linspace(-1, 1, 9)[:, None, None]
"""Where the line between the lips is looked for: from lip to lip"""
MOUTH_COLOURS: Final = (4 + len(_ACROSS), _EDGES.shape[1], 3)
"""Shape of what is kept of a mouth: skin, lip, lip, skin, and from lip to lip; along the mouth; RGB"""
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
_PLAIN: Final = 0.17
"""log2 luma from lip to lip below which something lies over a part. Measured, medians of clips: a finger, a palm or
half a hand leaves it .01 to .11; bare, no part of anybody's has less than .23, under a moustache .34"""
_VARIED, _PLAIN_SHARE = 0.25, 0.5
"""What the most varied part must have for that, and the share of it above which a part is bare: in fog, in the dark and
of lips that only their colour tells from skin every part is plain"""
_NOTHING, _PLENTY = 0.15, 1.0
"""Evidence of a part below which something lies over it, too, if the best has more than that: between real fingers are
dark gaps, but neither red nor a line"""
_COLOURED: Final = 0.25
"""Of full redness, what the reddest part must have for that: in a grey picture hair hides a part as a finger does"""
_BLOWN_SHARE: Final = 0.5
"""Of a part, from which nobody can tell what it would show in less light"""
_GRAIN: Final = 0.054
"""Side of the square whose mean is taken against noise, in eye distances"""
_BLURRED_FROM: Final = 40.0
"""Eye distance in pixels from which noise is taken out; the lips of smaller faces would go with it"""


def mouth_colours(picture: NDArray[np.uint8], points: NDArray[Any], eyes: float) -> NDArray[np.uint8]:
    """MOUTH_COLOURS of a mouth; `points` (478, 2) are the landmarks in the pixels of the RGB `picture`.

    `eyes` is the eye distance there.
    """
    edges, down = points[_EDGES], _down(points)
    margin, lips = _SKIN_MARGIN * eyes * down, (edges[::2] + edges[1::2]) / 2
    thickness = lips[1] - lips[0]
    reach = _LIPS_REACH / 2 * np.hypot(thickness[:, 0], thickness[:, 1])[:, None]
    across = (edges[1] + edges[2]) / 2 + _ACROSS * np.maximum(_LEAST_REACH * eyes, reach) * down
    at = np.concatenate([[edges[0] - margin, *lips, edges[3] + margin], across]).astype(np.float32) - np.float32(0.5)
    side = nearest_odd(_GRAIN * eyes) if eyes > _BLURRED_FROM else 1
    calm = cv2.blur(picture, (side, side))
    shown = cv2.remap(calm, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown, np.uint8)


def mouth_evidence(colours: NDArray[np.uint8]) -> Array:
    """(n,) 0..3: what the second best of a mouth's three parts has to show; 0 where a thing lies over one of them.

    Measured: bare mouths have 0.6 to 3, whoever's and however lit, half of them 2; 0.5 where a beard hides the lips.

    `colours` are those of n mouths, see mouth_colours.
    """
    exact, between = colours.astype(np.float64), colours[:, 4:]
    luma = _parts(np.log2(exact[:, 4:] @ _LUMA + _LUMA_FLOOR))
    red = _redness(exact[:, :4]) / _RED_ENOUGH
    line = (_line(luma) - _LINE[0]) / (_LINE[1] - _LINE[0])
    evidence = np.clip(red, 0, 1) + np.clip(line, 0, _LINE_COUNTS)
    covered = (_has_nothing(evidence, red) | _is_plain(luma)) & ~_is_blown_out(between)
    return np.asarray(np.where(covered.any(axis=1), 0, np.sort(evidence, axis=1)[:, 1]))


def _down(points: NDArray[Any]) -> Array:
    """(2,) unit: down the face, at right angles to the eyes."""
    across, along = (points[RIGHT_EYE] - points[LEFT_EYE]).tolist()
    return np.array([-along, across]) / max(math.hypot(across, along), 1e-3)


def _redness(colours: Array) -> Array:
    """(n, 3) how much redder the redder lip is than the skin on both sides; rows: skin, lip, lip, skin."""
    red = (colours[..., 0] - colours[..., 1]) / (colours.mean(axis=3) + _CHROMA_FLOOR)
    above, upper, lower, below = np.moveaxis(_parts(red), 1, 0)
    return np.asarray(np.maximum(upper, lower) - np.maximum(above, below))


def _line(luma: Array) -> Array:
    """(n, 3) log2 luma by which what lies between the lips is darker, or brighter, than both; rows: from lip to lip."""
    upper, between, lower = luma[:, :3], luma[:, 2:7], luma[:, 6:]
    darker = np.minimum(upper.max(axis=1), lower.max(axis=1)) - between.min(axis=1)
    brighter = between.max(axis=1) - np.maximum(upper.min(axis=1), lower.min(axis=1))
    return np.asarray(np.maximum(darker, brighter))


def _has_nothing(evidence: Array, red: Array) -> NDArray[np.bool_]:
    """(n, 3) which parts have no evidence, of mouths that are red and have much elsewhere."""
    told = (evidence.max(axis=1) > _PLENTY) & (red.max(axis=1) > _COLOURED)
    return np.asarray((evidence < _NOTHING) & told[:, None])


def _is_plain(luma: Array) -> NDArray[np.bool_]:
    """(n, 3) in which parts log2 luma hardly changes from lip to lip, of mouths where it does elsewhere."""
    variety = np.ptp(luma, axis=1)
    most = variety.max(axis=1, keepdims=True)
    return np.asarray((variety < _PLAIN) & (variety < _PLAIN_SHARE * most) & (most > _VARIED))


def _is_blown_out(colours: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(n, 3)."""
    brightest = np.maximum(np.maximum(colours[..., 0], colours[..., 1]), colours[..., 2])
    return np.asarray(_parts(brightest >= BLOWN_OUT).mean(axis=1) > _BLOWN_SHARE)


def _parts(values: NDArray[Any]) -> Array:
    """(n, rows, 3) means over the three parts of the mouth, of values along all of it (n, rows, 9)."""
    return np.asarray(values.reshape(*values.shape[:2], 3, values.shape[2] // 3).mean(axis=3))
