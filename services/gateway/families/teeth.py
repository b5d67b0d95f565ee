"""Teeth and gums of an average mouth, drawn in the person's colours where the footage never shows their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

ATLAS_HEIGHT: Final = 128
ATLAS_WIDTH: Final = 256
ATLAS_REACH: Final = 0.22
"""An atlas covers -0.22 .. 0.22 face units down from the seam of the resting lips"""
ATLAS_SPREAD: Final = 1.15
"""... and -1.15 .. 1.15 half widths of the resting mouth to the sides."""

_OVERSAMPLING = 2
_MILLIMETRE = 0.0112
"""Face units: the outer eye corners of an adult lie 89 mm apart."""
_LINE_SHADE = np.array([0.66, 0.60, 0.55])
"""Teeth meet in soft warm shadows, not in black lines."""


@dataclass(frozen=True, slots=True)
class _Arch:
    """One half of a row of teeth from the midline outwards; lengths in face units, y down from the resting seam."""

    widths: tuple[float, ...]
    edges: tuple[float, ...]
    heights: tuple[float, ...]
    curve: float
    """The edges follow curve * x^2"""
    gum: float
    upper: bool


def _millimetres(*lengths: float) -> tuple[float, ...]:
    return tuple(length * _MILLIMETRE for length in lengths)


_UPPER: Final = _Arch(
    widths=_millimetres(8.1, 6.2, 6.3, 5.0, 3.6),
    edges=(0.018, 0.012, 0.014, 0.006, 0.002),
    heights=_millimetres(10.5, 9.0, 9.5, 8.0, 7.0),
    curve=-0.25,
    gum=0.018 - 9.5 * _MILLIMETRE,
    upper=True,
)
_LOWER: Final = _Arch(
    widths=_millimetres(5.0, 5.6, 5.6, 5.0, 3.6),
    edges=(0.030, 0.031, 0.029, 0.033, 0.036),
    heights=_millimetres(8.5, 8.5, 8.5, 8.5, 8.5),
    curve=-0.10,
    gum=0.030 + 8.0 * _MILLIMETRE,
    upper=False,
)


def draw_teeth(
    half_width: float, teeth: NDArray[np.float32], gum: NDArray[np.float32], blur: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Upper and lower atlas, (128, 256, 4) RGB and alpha 0..1, for a resting mouth `half_width` face units wide.

    `teeth` and `gum` are RGB 0..1; `blur` is the standard deviation in atlas pixels that matches the footage.
    """
    return (
        _draw_arch(_UPPER, half_width, teeth, gum, blur),
        _draw_arch(_LOWER, half_width, teeth, gum, blur),
    )


def _draw_arch(
    arch: _Arch, half_width: float, teeth: NDArray[np.float32], gum: NDArray[np.float32], blur: float
) -> NDArray[np.float32]:
    """Draw the right half in fine pixels, mirror it, average it down; straight (not premultiplied) colour."""
    rows, columns = ATLAS_HEIGHT * _OVERSAMPLING, ATLAS_WIDTH * _OVERSAMPLING // 2
    x = ((np.arange(columns) + 0.5) / columns * ATLAS_SPREAD * half_width)[None]
    y = (((np.arange(rows) + 0.5) / rows * 2 - 1) * ATLAS_REACH)[:, None]
    colour, alpha = _underlay(arch, half_width, teeth, x, y)
    starts = np.cumsum((0.0, *arch.widths[:-1]))
    for start, width, edge, height in zip(starts, arch.widths, arch.edges, arch.heights, strict=True):
        middle = start + width / 2
        tip = edge + arch.curve * middle**2
        # Along the tooth: 0 at the gum, 1 at the cutting edge.
        along = np.clip((y - tip if arch.upper else tip - y) / height + 1, 0, 1)
        mask = _rounded_box(x - middle, y - (tip - height / 2 if arch.upper else tip + height / 2), width, height)
        shade = 1 - 0.13 * np.abs(np.clip((x - middle) / (width / 2), -1, 1)) ** 3
        shade = shade * (0.88 + 0.12 * along - 0.10 * np.clip((along - 0.85) / 0.15, 0, 1))
        depth = max(1 - 0.42 * (middle / half_width) ** 2, 0.35)
        warmth = np.array([1.0, 0.97, 0.93]) ** (1 - along)[..., None]
        painted = teeth * warmth * (shade * depth)[..., None]
        colour += (painted - colour) * mask[..., None]
        alpha += mask * (1 - alpha)
    behind = _step((arch.gum - y if arch.upper else y - arch.gum) / 0.004) * (x < sum(arch.widths)) * (1 - alpha)
    half = np.dstack([colour + gum * behind[..., None], alpha + behind]).astype(np.float32)
    whole = np.concatenate([half[:, ::-1], half], axis=1)
    small = cv2.GaussianBlur(cv2.resize(whole, (ATLAS_WIDTH, ATLAS_HEIGHT), interpolation=cv2.INTER_AREA), (0, 0), blur)
    straight = np.dstack([small[..., :3] / np.maximum(small[..., 3:], 1e-3), small[..., 3:]])
    return np.clip(straight, 0, 1).astype(np.float32)


def _underlay(
    arch: _Arch, half_width: float, teeth: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The shadow that shows between the teeth, one band from end to end, darker to the back; premultiplied, alpha."""
    outer = np.cumsum(arch.widths)
    edge = np.interp(x, outer - np.array(arch.widths) / 2, arch.edges) + arch.curve * x**2
    height = np.interp(x, outer, arch.heights)
    top, bottom = (edge - height, edge - 0.006) if arch.upper else (edge + 0.006, edge + height)
    alpha = _step((y - top) / 0.0015) * _step((bottom - y) / 0.0015) * _step((outer[-1] - x) / 0.004)
    depth = np.broadcast_to(np.clip(1 - 0.42 * (x / half_width) ** 2, 0.35, 1), alpha.shape)
    return teeth * _LINE_SHADE * (depth * alpha)[..., None], alpha


def _rounded_box(x: NDArray[np.float64], y: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    """Soft mask of a box with rounded corners around the origin."""
    radius = min(0.016, width * 0.38)
    dx = np.abs(x) - (width / 2 - radius)
    dy = np.abs(y) - (height / 2 - radius)
    distance = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - radius
    return _step(-distance / 0.0016)


def _step(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth step from 0 to 1 around 0."""
    return 1 / (1 + np.exp(-np.clip(value, -30, 30)))
