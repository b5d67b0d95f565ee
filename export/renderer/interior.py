"""What shows between the lips: the cavity, the tongue, and two rows of teeth. All lengths in face units."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from export.renderer.contours import Coefficients, Pose, Rest
from export.renderer.lips import Lips

ATLAS_HEIGHT: Final = 0.22
"""y from the seam to an atlas's upper and lower edge"""
ATLAS_WIDTH: Final = 1.15
"""x from the centre to its sides, in half widths of the mouth"""
JAW_SHARE: Final = 0.75
"""The lower teeth move by this share of the lower lip's drop: a mouth that opens wide shows them"""

_UPPER_DEPTH: Final = 0.027
_LOWER_DEPTH: Final = 0.024
_TONGUE_DEPTH: Final = 0.11
_TIP_DEPTH: Final = 0.032
_THROAT_DEPTH: Final = 0.26
"""How far behind the lips things lie, as the light between the lips finds them"""
_FROM_ABOVE: Final = 0.68
"""Share of the light that comes from above"""
_SIDE_SHADE: Final = 0.4
"""Exponent of the opening, by that in the middle"""
_SHADOW_HUE: Final = (0.40, -0.62, -0.70)
"""Red, green and blue that deep shadow adds to the light in it: light in a mouth comes off flesh, it is not grey"""


class Paint(NamedTuple):
    """Colours of the inside (b, 3, ...) or (b, 4, ...) for textures with alpha, all 0..1."""

    upper_teeth: Tensor
    lower_teeth: Tensor
    cavity: Tensor
    tongue: Tensor
    light: Tensor
    """(b, 3, 1, 1) How much of the lips' shadow falls on the teeth, how bright they are without it, its redness"""


def paint_inside(paint: Paint, lips: Lips, pose: Pose, rest: Rest, asked: Coefficients, x: Tensor, y: Tensor) -> Tensor:
    """The mouth's inside (b, 3, rows, columns) as if the lips were not there; from the throat to the upper teeth."""
    along = (x[:, None] - rest.centre[:, :, None]) / rest.half_width[:, :, None]
    gap = (lips.lower - lips.upper).clamp(min=1e-3)
    # Cheeks and corners let no light in from the sides.
    sides = (gap / gap.amax(2, keepdim=True)) ** _SIDE_SHADE
    pucker = 0.05 * asked.round[:, :, None]

    colour = paint.cavity * _warm(_light(lips, _THROAT_DEPTH, y) * sides**2, paint)
    tongue, share = _tongue(paint, lips, along, asked, sides, y)
    colour = colour + (tongue - colour) * share

    across = along / ATLAS_WIDTH
    down = (y - rest.seam[:, :, None]) / ATLAS_HEIGHT
    dropped = down - JAW_SHARE * pose.jaw_drop[:, :, None] / ATLAS_HEIGHT
    for teeth, place, depth in (
        (paint.lower_teeth, dropped, _LOWER_DEPTH + pucker),
        (paint.upper_teeth, down, _UPPER_DEPTH + pucker),
    ):
        light = 1 - paint.light[:, 0] * (1 - _light(lips, depth, y) * sides)
        colour = _lay_teeth(colour, teeth, across, place, _warm(light, paint) * paint.light[:, None, 1])
    return colour


def _light(lips: Lips, depth: Tensor | float, y: Tensor) -> Tensor:
    """Share of the light (b, rows, columns) that comes between the lips to what lies `depth` behind them."""
    from_upper, from_lower = (y - lips.upper).clamp(min=0), (lips.lower - y).clamp(min=0)
    # Most light comes from above: what shuts it out is the upper lip.
    above = from_upper / (from_upper**2 + depth**2).sqrt()
    below = from_lower / (from_lower**2 + depth**2).sqrt()
    return _FROM_ABOVE * above + (1 - _FROM_ABOVE) * below


def _warm(light: Tensor, paint: Paint) -> Tensor:
    """Grey light (b, rows, columns) as red, green and blue (b, 3, rows, columns)."""
    shadow = (1 - light).square() * paint.light[:, 2]
    return torch.stack([light * (1 + hue * shadow) for hue in _SHADOW_HUE], 1)


def _tongue(
    paint: Paint, lips: Lips, along: Tensor, asked: Coefficients, sides: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """Colour and share of a mound behind the lower lip; its tip rises to the upper teeth."""
    raised = asked.tongue[:, :, None]
    middle = (lips.lower - lips.upper).amax(2, keepdim=True).clamp(min=1e-3)
    height = (0.40 + 0.50 * raised) * middle
    top = lips.lower - height * (1 - (along / (0.85 - 0.28 * raised)) ** 2)
    share = torch.sigmoid((y - top) / (0.005 + 0.03 * middle))
    # Down the mound from its ridge: wet flesh shines a little below it.
    way = (y - top) / (height + 1e-3)
    body = 0.74 + 0.26 * torch.exp(-(((way - 0.3) / 0.40) ** 2)) - 0.06 * torch.exp(-((along / 0.13) ** 2))
    spots = torch.exp(-(((along + 0.17) / 0.14) ** 2)) + 0.7 * torch.exp(-(((along - 0.22) / 0.12) ** 2))
    shine = (0.14 + 0.24 * raised) * torch.exp(-(((way - 0.26) / 0.12) ** 2)) * spots
    light = _light(lips, _TONGUE_DEPTH + (_TIP_DEPTH - _TONGUE_DEPTH) * raised, y) * sides
    lit = paint.tongue * body[:, None] * _warm(light, paint)
    lit = lit + (shine * light)[:, None] * paint.tongue.mean(1, keepdim=True)
    return lit, share[:, None]


def _lay_teeth(colour: Tensor, teeth: Tensor, across: Tensor, down: Tensor, light: Tensor) -> Tensor:
    """Teeth (b, 4, h, w), looked up at across (b, 1, n) and down (b, m, 1) of -1..1, over the colour."""
    rows, columns = down.expand(-1, -1, across.shape[2]), across.expand(-1, down.shape[1], -1)
    grid = torch.stack([columns, rows], 3)
    seen = functional.grid_sample(teeth, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return colour + (seen[:, :3] * light - colour) * seen[:, 3:]
