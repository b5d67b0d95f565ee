"""What shows between the lips: the cavity, the tongue, and two rows of teeth. All lengths in face units."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from export.renderer.contours import Coefficients, Pose, Rest, heights
from export.renderer.curves import smoothstep

ATLAS_HEIGHT: Final = 0.22
"""y from the seam to an atlas's upper and lower edge"""
ATLAS_WIDTH: Final = 1.15
"""x from the centre to its sides, in half widths of the mouth"""
_EDGE: Final = 0.0055
"""softness of the lip edges"""
_SHADOW_HUE: Final = (1.0, 1.3, 1.5)
"""Exponents of red, green and blue: light in a mouth comes through flesh, so what is darker is redder, not greyer"""

_SEAM_WIDTH: Final = 0.008
"""Half width of the line between shut lips at half its depth"""
_SEAM_DEPTH: Final = (0.38, 0.54, 0.56)
"""Share of red, green and blue that the line takes from the lips"""


class Paint(NamedTuple):
    """Colours of the inside (b, 3, ...) or (b, 4, ...) for textures with alpha, all 0..1."""

    upper_teeth: Tensor
    lower_teeth: Tensor
    cavity: Tensor
    tongue: Tensor
    drawn: Tensor
    """(b, 1, 1, 1) 1: the teeth are drawn and need shading; 0: they are the person's own"""


class Lips(NamedTuple):
    """The inner lip lines in the mouth window and the shares of what lies there, (b, rows, columns) or (b, 1, n)."""

    upper: Tensor
    lower: Tensor
    inside: Tensor
    """share of the mouth's inside, 0..1"""
    from_upper: Tensor
    """share of the upper lip's layer in the rest, 0..1"""


def lips_at(pose: Pose, x: Tensor, y: Tensor) -> Lips:
    """The inner lines on the columns x (1, n), and soft shares on the rows y (1, m, 1)."""
    _, inner, low_inner, _ = heights(pose.contours, x)
    upper, lower = inner[:, None], low_inner[:, None]
    above, below = torch.sigmoid((upper - y) / _EDGE), torch.sigmoid((y - lower) / _EDGE)
    return Lips(upper, lower, (1 - above - below).clamp(0, 1), above / (above + below + 1e-5))


def shade_seam(skin: Tensor, lips: Lips, pose: Pose, parted: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The lips (b, 3, rows, columns) with the dark line that lies between shut ones.

    The footage shows it itself unless its lips are apart: `parted` (b, 1) is how far.
    """
    left, right = pose.contours.left[:, :, None], pose.contours.right[:, :, None]
    along = ((x[:, None] - 0.5 * (left + right)) / (0.5 * (right - left))).clamp(-1, 1)
    gap = (lips.lower - lips.upper).clamp(min=0)
    # As the lips part, the inside's own shade takes over.
    strength = parted[:, :, None] * (1 - along**2) * (1 - smoothstep(gap / 0.016))
    away = torch.maximum(lips.upper - y, y - lips.lower).clamp(min=0) / _SEAM_WIDTH
    line = (strength / (1 + away**2))[:, None]
    return skin * (1 - torch.tensor(_SEAM_DEPTH)[None, :, None, None] * line)


def paint_inside(paint: Paint, lips: Lips, pose: Pose, rest: Rest, asked: Coefficients, x: Tensor, y: Tensor) -> Tensor:
    """The mouth's inside (b, 3, rows, columns) as if the lips were not there."""
    width = rest.half_width[:, :, None]
    from_centre = x[:, None] - rest.centre[:, :, None]
    gap = (lips.lower - lips.upper).clamp(min=1e-3)
    depth = ((y - lips.upper) / gap).clamp(0, 1)[:, None]
    shade = (1 - 0.55 * (from_centre / width) ** 2).clamp(min=0.3)[:, None]
    teeth_shade = shade * paint.drawn + (1 - paint.drawn)

    colour = paint.cavity * (0.75 + 0.6 * depth) * shade
    tongue = paint.tongue * shade * (0.55 + 0.45 * depth)
    colour = colour + (tongue - colour) * _tongue_share(lips, gap, from_centre / width, asked, y)

    across = from_centre / (ATLAS_WIDTH * width)
    down = (y - rest.seam[:, :, None]) / ATLAS_HEIGHT
    dropped = down - 0.85 * pose.jaw_drop[:, :, None] / ATLAS_HEIGHT
    lower_light = 0.72 + 0.28 * smoothstep((lips.lower - y) / 0.03)
    under_lip = 1 - smoothstep((y - lips.upper) / 0.03)
    # The person's own teeth were pictured with some of the lip's shadow on them.
    upper_light = (1 - 0.22 * asked.round)[:, :, None] * (1 - (0.20 + 0.26 * paint.drawn[:, 0]) * under_lip)
    colour = _lay_teeth(colour, paint.lower_teeth, across, dropped, _warm(teeth_shade * lower_light[:, None]))
    colour = _lay_teeth(colour, paint.upper_teeth, across, down, _warm(teeth_shade * upper_light[:, None]))
    # Light comes in between the lips: through a slit there is little of it. Next to the lips there is less.
    daylight = 0.65 + 0.35 * smoothstep(gap / 0.045)
    above_lip = 0.35 * (1 - smoothstep((lips.lower - y) / 0.02))
    return colour * _warm(((1 - 0.26 * under_lip) * (1 - above_lip) * daylight)[:, None])


def _warm(light: Tensor) -> Tensor:
    """Grey light (b, 1, rows, columns) as red, green and blue."""
    return torch.cat([light if exponent == 1 else light**exponent for exponent in _SHADOW_HUE], 1)


def _tongue_share(lips: Lips, gap: Tensor, along: Tensor, asked: Coefficients, y: Tensor) -> Tensor:
    """A mound that rises from the lower lip."""
    raised = asked.tongue[:, :, None]
    top = lips.lower - (0.34 + 0.36 * raised) * gap + 0.35 * gap * (along / 0.8) ** 2
    return (torch.sigmoid((y - top) / (0.012 + 0.12 * gap)) * (0.70 + 0.30 * raised))[:, None]


def _lay_teeth(colour: Tensor, teeth: Tensor, across: Tensor, down: Tensor, light: Tensor) -> Tensor:
    """Teeth (b, 4, h, w), looked up at across (b, 1, n) and down (b, m, 1) of -1..1, over the colour."""
    rows, columns = down.expand(-1, -1, across.shape[2]), across.expand(-1, down.shape[1], -1)
    grid = torch.stack([columns, rows], 3)
    seen = functional.grid_sample(teeth, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return colour + (seen[:, :3] * light - colour) * seen[:, 3:]
