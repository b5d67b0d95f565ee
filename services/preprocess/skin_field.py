"""How the skin of the lower face goes with the lips and the chin: a linear map, as the mouth renderer moves it.

Pure numpy; all lengths in face units. The outline of a mouth is 4 lines of 11 points, and the chin: 45 points, those of
the upper outer, upper inner, lower inner and lower outer line, then the chin. It is 89 numbers: x of all points but the
chin, then y of all. What moves across moves skin across, and what moves down moves it down, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LINES: Final = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
)
"""Landmarks of the lines from the left corner to the right, as pictured"""
CHIN, SUBNASALE = 152, 2
_POINTS: Final = 11
ACROSS: Final = len(LINES) * _POINTS
"""Numbers of an outline that are x"""
OUTLINE: Final = 2 * ACROSS + 1
CHANGES_ACROSS: Final = 3
"""Of outline_changes: how many of them go across"""
_LINES: Final = np.array(LINES)
OUTLINE_POINTS: Final = np.array([*_LINES.ravel(), CHIN])
"""(45,) landmarks"""
_UPPER_INNER, _LOWER_INNER = slice(_POINTS, 2 * _POINTS), slice(2 * _POINTS, 3 * _POINTS)
"""Of these, the inner lines"""
_STEP: Final = 1 / 45
"""1.4 pixels of the skin pictures; twice as many places tell no more"""
_SIDES, _TOP, _BELOW = 0.46, -0.30, 0.03
"""Where skin is looked at: so far to the sides and above the mouth, and below the chin"""
_ROUND: Final = 1.1
"""By which a face's edge rises to the sides, times x squared"""
_SEAM: Final = 0.008
"""Next to the line between the lips skin shows only now and then"""
_REACH: Final = 0.62


@dataclass(frozen=True, slots=True, eq=False)
class SkinField:
    """The skin round a resting mouth."""

    places: NDArray[np.float32] = field(repr=False)
    """(n, 2) where it is looked at"""
    across: NDArray[np.float32] = field(repr=False)
    """(n, ACROSS) by which each place is displaced across for what each x of the outline changes"""
    down: NDArray[np.float32] = field(repr=False)
    """(n, OUTLINE - ACROSS) by which it is displaced down for what each y changes"""


def outline_of(points: Array) -> Array:
    """(..., 45, 2 or more) points of an outline -> (..., OUTLINE)."""
    return np.concatenate([points[..., :ACROSS, 0], points[..., 1]], axis=-1)


def skin_field(rest: Array) -> SkinField:
    """The field round the mouth of a resting face (478, 2 or more)."""
    places = _places(rest)
    x, y = places.T
    upper_outer, upper_inner, lower_inner, lower_outer = (_height(line, rest, x) for line in LINES)
    left, right = rest[LINES[0][0], 0], rest[LINES[0][-1], 0]
    beyond = np.maximum(left - x, x - right).clip(min=0)
    near, cheek = 1 - _smooth(beyond / 0.26), _smooth(beyond / 0.22)
    nose, chin = rest[SUBNASALE, 1] + 0.01, rest[CHIN, 1]
    jaw_line = chin - 0.22 * x**2

    upper = y < (upper_inner + lower_inner) / 2
    to_outer = _smooth((y - nose) / (upper_outer - nose).clip(min=0.02))
    to_inner = ((y - upper_outer) / (upper_inner - upper_outer).clip(min=0.004)).clip(0, 1)
    from_inner = ((y - lower_inner) / (lower_outer - lower_inner).clip(min=0.004)).clip(0, 1)
    shares = (
        upper * (to_outer - to_inner),
        upper * to_inner,
        ~upper * (1 - from_inner),
        ~upper * (from_inner - _way(lower_outer, jaw_line, y)),
    )
    fade = 0.34 - 0.16 * _smooth((np.abs(x) - 0.20) / 0.30)
    jaw = (1 - _smooth((np.abs(x) - 0.12) / 0.58)) * np.where(upper, cheek, 1)
    jaw *= _way(lower_outer - 0.30 * cheek, jaw_line, y) - _smooth((y - jaw_line) / fade)
    rows = _smooth((y - nose + 0.05) / 0.14) * (1 - _smooth((y - 0.16) / 0.30))

    lips = [
        (near * share)[:, None] * _between(x, rest[points, 0]) for points, share in zip(_LINES, shares, strict=True)
    ]
    down = np.column_stack([*lips, jaw])
    middles = rest[[LINES[0][5], LINES[3][5]], 0].mean()
    knots = rows[:, None] * _between(x, np.array([-_REACH, left, middles, right, _REACH]))
    across = np.zeros((len(x), len(LINES), _POINTS))
    across[:, 0, 0], across[:, 0, -1] = knots[:, 1], knots[:, 3]
    across[:, 0, 5] = across[:, 3, 5] = knots[:, 2] / 2
    flat = across.reshape(len(x), ACROSS)
    return SkinField(places.astype(np.float32), flat.astype(np.float32), down.astype(np.float32))


def outline_changes(rest: Array) -> tuple[Array, Array]:
    """(k, OUTLINE) by which a mesh mistakes an outline, first those across, and (k,) the deviations of its mistakes."""
    left, right = rest[LINES[0][0], 0], rest[LINES[0][-1], 0]
    along = ((rest[_LINES, 0] - (left + right) / 2) * 2 / max(right - left, 1e-3)).clip(-1, 1)
    corners = [((-along).clip(0, 1), 0.004), (along.clip(0, 1), 0.004)]
    across = [*corners, (1 - np.abs(along), 0.012)]
    lines, bell = np.eye(len(LINES))[:, :, None], 1 - along**2
    down = [
        (lip * bend, deviation)
        for lip in (lines[0] + lines[1], lines[2] + lines[3])
        for bend, deviation in ((bell, 0.012), (along * bell, 0.008), (bell * (1 - 4 * along**2), 0.006))
    ]
    down += [(outer * bell, 0.008) for outer in (lines[0], lines[3])] + corners
    changes = np.zeros((len(across) + len(down) + 1, OUTLINE))
    changes[:CHANGES_ACROSS, :ACROSS] = [change.ravel() for change, _ in across]
    changes[CHANGES_ACROSS:-1, ACROSS:-1] = [change.ravel() for change, _ in down]
    changes[-1, -1] = 1  # the chin
    return changes, np.array([*(deviation for _, deviation in (*across, *down)), 0.012])


def shifted(landmarks: NDArray[np.float32], change: Array, linear: Array, parted: float) -> NDArray[np.float32]:
    """Landmarks (478, 3) with a change (OUTLINE,) of their outline; `linear` (2, 2) is face units -> their pixels.

    With `parted` 0 both inner lines go the same way down, with 1 each goes its own.
    """
    points = np.zeros((len(OUTLINE_POINTS), 2))
    points[:ACROSS, 0], points[:, 1] = change[:ACROSS], change[ACROSS:]
    upper, lower = points[_UPPER_INNER, 1], points[_LOWER_INNER, 1]
    nearer = (1 - parted) / 2 * (lower - upper)
    upper += nearer
    lower -= nearer
    shift = np.zeros_like(landmarks)
    # The lines of a lip share their corners: each is set, not added to.
    shift[OUTLINE_POINTS, :2] = points @ linear.T
    return landmarks + shift


def gap_of(points: Array) -> float:
    """Widest distance of the inner lines of an outline's points (45, 2) in face units; not negative."""
    return float((points[_LOWER_INNER, 1] - points[_UPPER_INNER, 1]).max())


def _places(rest: Array) -> Array:
    chin = rest[CHIN, 1]
    x, y = (
        axis.ravel() for axis in np.meshgrid(np.arange(-_SIDES, _SIDES, _STEP), np.arange(_TOP, chin + _BELOW, _STEP))
    )
    away = [np.abs(y - _height(line, rest, x)) for line in LINES[1:3]]
    skin = (y < chin + _BELOW - _ROUND * x**2) & (np.minimum(*away) > _SEAM)
    return np.asarray(np.stack([x, y], axis=1)[skin])


def _height(line: tuple[int, ...], rest: Array, x: Array) -> Array:
    points = rest[list(line)]
    return np.interp(x, points[:, 0], points[:, 1])


def _between(x: Array, knots: Array) -> Array:
    """(n, k): the share of each knot in what lies at x between two of them."""
    return np.stack([np.interp(x, knots, one) for one in np.eye(len(knots))], axis=1)


def _smooth(values: Array) -> Array:
    inside = values.clip(0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside))


def _way(start: Array, end: Array, y: Array) -> Array:
    way = ((y - start) / (end - start).clip(min=0.05)).clip(0, 1)
    return np.asarray(0.35 * way + 0.65 * _smooth(way))
