"""How the skin of the lower face goes with the lips and the chin: a linear map, as the mouth renderer moves it.

Pure numpy; all lengths in face units. The outline of a mouth is 4 lines of 11 points, and the chin's height:
89 numbers, x and y of each point of the upper outer, upper inner, lower inner and lower outer line, then the chin.
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
OUTLINE: Final = 2 * len(LINES) * _POINTS + 1
_STEP: Final = 1 / 64
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
    moves: NDArray[np.float32] = field(repr=False)
    """(2, n, OUTLINE) by which each place is displaced across and down for what each number of the outline changes"""


def outline_of(points: Array) -> Array:
    """(..., 478, 2 or more) landmarks -> (..., OUTLINE)."""
    lines = points[..., np.array(LINES), :2]
    return np.concatenate([lines.reshape(*points.shape[:-2], -1), points[..., [CHIN], 1]], axis=-1)


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

    moves = np.zeros((2, len(x), len(LINES), _POINTS, 2))
    for line, (points, share) in enumerate(zip(LINES, shares, strict=True)):
        moves[1, :, line, :, 1] = (near * share)[:, None] * _between(x, rest[points, 0])
    middles = rest[[LINES[0][5], LINES[3][5]], 0].mean()
    across = rows[:, None] * _between(x, np.array([-_REACH, left, middles, right, _REACH]))
    moves[0, :, 0, 0, 0], moves[0, :, 0, -1, 0] = across[:, 1], across[:, 3]
    moves[0, :, 0, 5, 0] = moves[0, :, 3, 5, 0] = across[:, 2] / 2
    flat = moves.reshape(2, len(x), -1)
    downs = np.stack([np.zeros_like(jaw), jaw])[..., None]
    return SkinField(places.astype(np.float32), np.concatenate([flat, downs], axis=2).astype(np.float32))


def outline_changes(rest: Array) -> tuple[Array, Array]:
    """(k, OUTLINE) by which a mesh mistakes an outline, and (k,) the deviations of its mistakes."""
    left, right = rest[LINES[0][0], 0], rest[LINES[0][-1], 0]
    along = ((rest[np.array(LINES), 0] - (left + right) / 2) * 2 / max(right - left, 1e-3)).clip(-1, 1)
    lines, bell, none = np.eye(len(LINES))[:, :, None], 1 - along**2, np.zeros_like(along)
    changes = [
        (none, lip * bend, deviation)
        for lip in (lines[0] + lines[1], lines[2] + lines[3])
        for bend, deviation in ((bell, 0.012), (along * bell, 0.008), (bell * (1 - 4 * along**2), 0.006))
    ]
    changes += [(none, outer * bell, 0.008) for outer in (lines[0], lines[3])]
    for corner in ((-along).clip(0, 1), along.clip(0, 1)):
        changes += [(corner, none, 0.004), (none, corner, 0.004)]
    changes.append((1 - np.abs(along), none, 0.012))
    of_lips = [[*np.stack([across, down], axis=2).ravel(), 0.0] for across, down, _ in changes]
    of_chin = np.eye(1, OUTLINE, OUTLINE - 1)
    return np.concatenate([of_lips, of_chin]), np.array([*(deviation for *_, deviation in changes), 0.012])


def shifted(landmarks: NDArray[np.float32], change: Array, linear: Array, parted: float) -> NDArray[np.float32]:
    """Landmarks (478, 3) with a change (OUTLINE,) of their outline; `linear` (2, 2) is face units -> their pixels.

    With `parted` 0 both inner lines go the same way down, with 1 each goes its own.
    """
    lines = change[:-1].reshape(len(LINES), _POINTS, 2).copy()
    nearer = (1 - parted) / 2 * (lines[2, :, 1] - lines[1, :, 1])
    lines[1, :, 1] += nearer
    lines[2, :, 1] -= nearer
    moved = landmarks.copy()
    # The lines of a lip share their corners: each is set, not added to.
    for points, line in zip(LINES, lines, strict=True):
        moved[list(points), :2] = landmarks[list(points), :2] + line @ linear.T
    moved[CHIN, :2] += linear[:, 1] * change[-1]
    return moved


def gap_of(landmarks: NDArray[np.float32], linear: Array) -> float:
    """Widest distance of the inner lines of landmarks (478, 3) in face units; not negative."""
    apart = landmarks[list(LINES[2]), :2] - landmarks[list(LINES[1]), :2]
    return float((apart @ np.linalg.inv(linear).T)[:, 1].max())


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
