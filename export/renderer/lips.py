"""Where the lips and the mouth's inside lie in the window, and the line between shut lips; lengths in face units."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from export.renderer.contours import Pose, heights
from export.renderer.curves import smoothstep

_EDGE: Final = 0.0055
"""Softness of the lip edges"""
_EDGE_PIXELS: Final = 0.4
"""... and at least this much of a pixel, or they would be stairs"""
_SEAM_WIDTH: Final = 0.008
"""Half width of the line between shut lips at half its depth"""
_SEAM_SHARE: Final = 0.6
"""What the line takes from the lips where it is darkest"""
_SEAM_HUE: Final = (0.80, 0.40, 0.40)
"""Red, green and blue of the line by those of the cavity: light gets into it through flesh"""


class Lips(NamedTuple):
    """The inner lip lines in the mouth window and the shares of what lies there, (b, rows, columns) or (b, 1, n)."""

    upper: Tensor
    lower: Tensor
    inside: Tensor
    """share of the mouth's inside, 0..1"""
    from_upper: Tensor
    """share of the upper lip's layer in the rest, 0..1"""


def lips_at(pose: Pose, x: Tensor, y: Tensor) -> Lips:
    """The inner lines on the columns x (b, n), and soft shares on the rows y (b, m, 1), which are a pixel apart."""
    _, inner, low_inner, _ = heights(pose.contours, x)
    upper, lower = inner[:, None], low_inner[:, None]
    edge = (_EDGE_PIXELS * (y[:, 1:2] - y[:, :1])).clamp(min=_EDGE)
    above, below = torch.sigmoid((upper - y) / edge), torch.sigmoid((y - lower) / edge)
    return Lips(upper, lower, (1 - above - below).clamp(0, 1), above / (above + below + 1e-5))


def with_seam(inside: Tensor, lips: Lips, seam: Tensor, cavity: Tensor) -> tuple[Tensor, Tensor]:
    """Colour (b, 3, rows, columns) and alpha (b, rows, columns) of the inside, and of the line beyond it."""
    line = (1 - lips.inside) * seam
    alpha = lips.inside + line
    hue = torch.tensor(_SEAM_HUE)[None, :, None, None]
    return inside + (cavity * hue - inside) * (line / alpha.clamp(min=1e-4))[:, None], alpha


def seam_at(lips: Lips, pose: Pose, parted: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Alpha (b, rows, columns) of the dark line that lies between shut lips.

    The footage shows it itself unless its lips are apart: `parted` (b, 1) is how far.
    """
    left, right = pose.contours.left[:, :, None], pose.contours.right[:, :, None]
    along = ((x[:, None] - 0.5 * (left + right)) / (0.5 * (right - left))).clamp(-1, 1)
    gap = (lips.lower - lips.upper).clamp(min=0)
    # As the lips part, the inside's own shade takes over.
    strength = _SEAM_SHARE * parted[:, :, None] * (1 - along**2) * (1 - smoothstep(gap / 0.016))
    away = torch.maximum(lips.upper - y, y - lips.lower).clamp(min=0) / _SEAM_WIDTH
    return strength / (1 + away**2)
