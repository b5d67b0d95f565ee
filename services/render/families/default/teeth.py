"""Teeth and gums drawn in the person's colours, where the footage never shows their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

ATLAS_REACH: Final = 0.22
"""An atlas covers -0.22 .. 0.22 face units down from the seam of the resting lips"""
ATLAS_SPREAD: Final = 1.15
"""... and -1.15 .. 1.15 half widths of the resting mouth to the sides."""

_OVERSAMPLING = 2
_MILLIMETRE = 0.0112
"""Face units: the outer eye corners of an adult lie 89 mm apart."""
_SOFTNESS = 0.0016
"""Face units in which a tooth ends"""
_GAP_SHADE: Final = np.array([0.50, 0.38, 0.31])
"""Teeth meet in soft warm shadows, not in black lines."""
_NECK_TINT: Final = np.array([0.98, 0.94, 0.86])
"""Enamel is thin at the gum: the tooth shows through it"""
_LOWER_TINT: Final = np.array([1.03, 0.98, 0.92])
"""The light on the lower row comes off the tongue and the lip"""
_LOWER_SHOWN: Final = (0.018, 0.034)
"""Face units by which both rows lie higher in somebody who speaks over the lower one"""
_SMILE_SHARE = 0.5
"""The arch follows the curve of the lips by half"""
_DEPTH_SHADE = 0.35
"""What the light loses from the midline to the corner of the resting mouth"""


@dataclass(frozen=True, slots=True)
class _Tooth:
    """One tooth as the camera sees it from the front; millimetres."""

    width: float
    height: float
    edge: float
    """Cutting edge above that of the middle teeth; below it in the lower row"""
    inner: float
    outer: float
    """How far the edge's corners are worn away, towards the midline and away from it"""
    power: float
    """4: a straight edge with rounded corners, below 2: a point"""
    tilt: float = 0.0
    """The neck leans outwards by this share of the height"""
    shade: float = 1.0


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of teeth; no mouth is the same on both sides."""

    left: tuple[_Tooth, ...]
    """From the midline to the image's left"""
    right: tuple[_Tooth, ...]
    edge: float
    """Face units from the resting seam down to the middle teeth's edges"""
    curve: float
    """The edges follow curve * x^2"""
    upwards: bool
    """The teeth stand up from the edge, as the upper ones do"""


_UPPER: Final = _Row(
    left=(
        _Tooth(8.2, 10.3, 0.0, 0.5, 1.0, 4.0, 0.02),
        _Tooth(6.3, 8.8, 0.7, 0.7, 1.5, 3.2, 0.06, 0.98),
        _Tooth(6.4, 9.6, 0.1, 1.5, 1.9, 1.7, 0.06, 0.93),
        _Tooth(5.1, 8.2, 0.7, 1.3, 1.5, 1.8, 0.05, 0.93),
        _Tooth(3.8, 7.4, 1.0, 1.2, 1.4, 2.0, 0.05, 0.92),
        _Tooth(3.0, 7.0, 1.2, 1.0, 1.0, 2.0, 0.05, 0.90),
    ),
    right=(
        _Tooth(8.0, 10.1, 0.15, 0.6, 1.1, 4.0, 0.03, 0.99),
        _Tooth(6.1, 8.9, 0.9, 0.6, 1.4, 3.4, 0.02, 0.97),
        _Tooth(6.6, 9.4, 0.2, 1.6, 1.8, 1.7, 0.08, 0.94),
        _Tooth(5.0, 8.1, 0.8, 1.3, 1.5, 1.8, 0.05, 0.93),
        _Tooth(3.7, 7.5, 0.9, 1.2, 1.4, 2.0, 0.05, 0.92),
        _Tooth(3.0, 7.0, 1.2, 1.0, 1.0, 2.0, 0.05, 0.90),
    ),
    edge=0.027,
    curve=-0.22,
    upwards=True,
)
_LOWER: Final = _Row(
    left=(
        _Tooth(5.2, 8.4, 0.0, 0.4, 0.5, 4.0, 0.0, 0.89),
        _Tooth(5.6, 8.6, -0.2, 0.5, 0.8, 4.0, 0.03, 0.88),
        _Tooth(6.0, 9.2, -0.4, 1.1, 1.6, 1.8, 0.05, 0.84),
        _Tooth(5.2, 8.0, 0.5, 1.3, 1.5, 1.9, 0.05, 0.82),
        _Tooth(3.9, 7.4, 0.9, 1.2, 1.3, 2.0, 0.05, 0.80),
    ),
    right=(
        _Tooth(5.1, 8.5, 0.25, 0.5, 0.4, 4.0, -0.03, 0.87),
        _Tooth(5.7, 8.5, 0.0, 0.4, 0.8, 4.0, 0.04, 0.89),
        _Tooth(5.9, 9.3, -0.3, 1.2, 1.5, 1.8, 0.05, 0.84),
        _Tooth(5.3, 8.0, 0.4, 1.3, 1.5, 1.9, 0.05, 0.82),
        _Tooth(3.9, 7.4, 0.9, 1.2, 1.3, 2.0, 0.05, 0.80),
    ),
    edge=0.008,
    curve=-0.12,
    upwards=False,
)


def draw_teeth(
    half_width: float,
    teeth: NDArray[np.float32],
    gum: NDArray[np.float32],
    smile: float,
    rows: int,
    blur: float,
    lower_share: float = 0.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Upper and lower atlas, (rows, 2 rows, 4) RGB and alpha 0..1, for a resting mouth `half_width` face units wide.

    `teeth` and `gum` are RGB 0..1; the arch follows half of the lips' curve, smile * x^2, in part; `blur` is the
    standard deviation in face units that matches the footage.
    """
    bend = float(np.clip(_SMILE_SHARE * smile, -0.35, 0.15))
    upper_row, lower_row = (
        replace(row, edge=row.edge - raised * lower_share)
        for row, raised in ((_UPPER, _LOWER_SHOWN[0]), (_LOWER, _LOWER_SHOWN[1]))
    )
    coloured = (upper_row, teeth), (lower_row, (teeth * _LOWER_TINT).astype(np.float32))
    # At once: a job's first picture waits for them, and nothing else of it goes on meanwhile.
    with ThreadPoolExecutor(len(coloured), "teeth") as threads:
        upper, lower = threads.map(
            lambda each: _draw_row(each[0], half_width, bend, each[1], gum, rows, blur), coloured
        )
    return upper, lower


def _draw_row(
    row: _Row,
    half_width: float,
    bend: float,
    teeth: NDArray[np.float32],
    gum: NDArray[np.float32],
    rows: int,
    blur: float,
) -> NDArray[np.float32]:
    """Painted in fine pixels as if all teeth stood upwards, then averaged down; straight (not premultiplied) colour."""
    fine = _OVERSAMPLING * rows
    x = ((np.arange(2 * fine) + 0.5) / fine - 1) * ATLAS_SPREAD * half_width
    y = (((np.arange(fine) + 0.5) / fine * 2 - 1) * ATLAS_REACH)[:, None]
    # Up from the edge of the middle teeth.
    up = (row.edge - y if row.upwards else y - row.edge) + (1 if row.upwards else -1) * (row.curve + bend) * x**2
    depth = np.clip(1 - _DEPTH_SHADE * (x / half_width) ** 2, 0.25, 1)[:, None]
    colour, alpha = _gum(row, x, up, gum)
    for side, half in ((-1, row.left), (1, row.right)):
        start = 0.0
        for tooth in half:
            middle, reach = (start + tooth.width / 2) * _MILLIMETRE, 0.62 * tooth.width * _MILLIMETRE
            near = np.abs(x * side - middle) < reach
            painted, mask, shadow = _paint_tooth(tooth, side * x[near] - middle, up[:, near])
            colour[:, near] += (teeth * _GAP_SHADE - colour[:, near]) * shadow[..., None]
            colour[:, near] += (teeth * painted - colour[:, near]) * mask[..., None]
            alpha[:, near] = np.maximum(alpha[:, near], np.maximum(mask, shadow))
            start += tooth.width
    lit = np.dstack([colour * depth * alpha[..., None], alpha]).astype(np.float32)
    small = cv2.resize(lit, (2 * rows, rows), interpolation=cv2.INTER_AREA)
    pixel = 2 * ATLAS_REACH / rows, ATLAS_SPREAD * half_width / rows
    # The drawing is soft itself.
    more = float(np.sqrt(max(blur**2 - (2 * _SOFTNESS) ** 2, 0)))
    small = cv2.GaussianBlur(small, (0, 0), sigmaX=max(more / pixel[1], 0.3), sigmaY=max(more / pixel[0], 0.3))
    straight = np.dstack([small[..., :3] / np.maximum(small[..., 3:], 1e-3), small[..., 3:]])
    return np.clip(straight, 0, 1).astype(np.float32)


def _paint_tooth(
    tooth: _Tooth, across: NDArray[np.float64], up: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Shade (rows, n, 3), mask and the mask of the shadow round the neck; outwards positive, face units."""
    up = up / _MILLIMETRE - tooth.edge
    rise = np.clip(up / tooth.height, 0, 1)
    u = (across[None] / _MILLIMETRE - tooth.tilt * up) / (tooth.width / 2)
    corners = np.where(u < 0, tooth.inner, tooth.outer) * np.minimum(np.abs(u), 1.2) ** tooth.power
    neck = tooth.height * (1 - 0.20 * np.abs(u) ** 2.2)
    side = (1 - 0.20 * rise**1.8 - np.abs(u)) * tooth.width / 2
    mask = _step((up - corners) * _MILLIMETRE) * _step((neck - up) * _MILLIMETRE / 1.5) * _step(side * _MILLIMETRE)
    shadow = _step((up - corners - 1.1) * _MILLIMETRE) * _step((neck - up) * _MILLIMETRE) * (np.abs(u) < 1.1)
    # A convex body, worn translucent at the edge; it mirrors a window at a third of its height.
    body = 1 - 0.20 * np.abs(u) ** 3.5
    body = body * (1 - 0.10 * np.clip(1 - (up - corners) / 1.4, 0, 1)) + 0.06 * np.exp(
        -(((u + 0.2) / 0.3) ** 2) - ((rise - 0.4) / 0.22) ** 2
    )
    tint = 1 + (_NECK_TINT - 1) * (rise**1.5)[..., None]
    return tooth.shade * body[..., None] * tint, mask, shadow


def _gum(
    row: _Row, x: NDArray[np.float64], up: NDArray[np.float64], gum: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colour and alpha of the gum, which the necks are cut into."""
    end = sum(tooth.width for tooth in row.right) * _MILLIMETRE
    base = row.right[0].height * 0.80 * _MILLIMETRE
    alpha = _step((up - base) / 2) * _step((end - np.abs(x)) / 2)
    # Round like a bolster over each root.
    fall = np.clip(1 - 0.35 * np.clip((up - base) / 0.10, 0, 1), 0, 1)
    return gum * fall[..., None] * np.ones_like(alpha)[..., None], alpha


def _step(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth step from 0 to 1 around 0, in face units."""
    return np.asarray(1 / (1 + np.exp(-np.clip(distance / _SOFTNESS, -30, 30))))
