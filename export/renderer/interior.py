"""What shows between the lips: the cavity, the tongue, and two rows of teeth. All lengths in face units."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from export.renderer.contours import Coefficients, Pose, Rest
from export.renderer.curves import smoothstep
from export.renderer.lips import Lips

ATLAS_HEIGHT: Final = 0.22
"""y from the seam to an atlas's upper and lower edge"""
ATLAS_WIDTH: Final = 1.15
"""x from the centre to its sides, in half widths of the mouth"""
TEETH_DROP: Final = (0.45, 1.9)
"""Of the lower lip's drop, the share by which the lower teeth follow it at first, and how it grows by face unit: rows
of teeth stay close together in speech, and lips that are wide apart show the lower one"""
_WIDE_BITE: Final = 0.45
"""Share of their drop that spread lips spare the lower teeth: an e or an i is spoken through a narrow bite"""

_UPPER_DEPTH: Final = 0.027
_LOWER_DEPTH: Final = 0.024
_TONGUE_DEPTH: Final = 0.06
_TIP_DEPTH: Final = 0.032
_THROAT_DEPTH: Final = 0.15
"""How far behind the lips things lie, as the light between the lips finds them"""
_UPPER_EDGE: Final = 0.024
"""From the seam down to the upper teeth's edge: what lies farther back is in their shadow, too"""
_TIP_SHARE: Final = 0.8
"""Of the lower teeth, what a raised tip hides"""
_FROM_ABOVE: Final = 0.68
"""Share of the light that comes from above"""
_AMBIENT: Final = 0.33
"""Share of the light that comes through flesh and off it, wherever something lies: no mouth is black"""
_NARROW: Final = (0.07, 0.6)
"""Opening below which ever less light gets in, and the share that an all but shut mouth loses: real slits are dark"""
_SIDE_SHADE: Final = 0.2
"""Exponent of the opening, by that in the middle"""
_SHADOW_HUE: Final = (0.40, -0.62, -0.70)
"""Red, green and blue that deep shadow adds to the light in it: light in a mouth comes off flesh, it is not grey"""


class Teeth(NamedTuple):
    """A row of teeth of t tracks, whose b / t faces each come one after the other."""

    atlases: Tensor
    """(t, k, h, w, 4) RGBA 0..255: what the row looks like, in k ways"""
    shares: Tensor
    """(b, k) of each of them in a face's"""


class Paint(NamedTuple):
    """Teeth, and colours of the inside (b, 3, ...), 0..1."""

    upper_teeth: Teeth
    lower_teeth: Teeth
    cavity: Tensor
    tongue: Tensor
    light: Tensor
    """(b, 3, 1, 1) How much of the lips' shadow falls on the teeth, how bright they are without it, its redness"""


def paint_inside(paint: Paint, lips: Lips, pose: Pose, rest: Rest, asked: Coefficients, x: Tensor, y: Tensor) -> Tensor:
    """The mouth's inside (b, 3, rows, columns) as if the lips were not there; from the throat to the upper teeth."""
    along = (x[:, None] - rest.centre[:, :, None]) / rest.half_width[:, :, None]
    gap = (lips.lower - lips.upper).clamp(min=1e-3)
    behind = lips._replace(
        upper=torch.minimum(torch.maximum(lips.upper, rest.seam[:, :, None] + _UPPER_EDGE), lips.lower)
    )
    open_by = gap.amax(2, keepdim=True)
    # Cheeks and corners let no light in from the sides, and a slit lets in little.
    let_in = (gap / open_by) ** _SIDE_SHADE * (1 - _NARROW[1] * (1 - smoothstep(open_by / _NARROW[0])))
    pucker = 0.05 * asked.round[:, :, None]

    colour = paint.cavity * _warm(_scattered(_light(behind, _THROAT_DEPTH, y) * let_in**2), paint)
    tongue, share = _tongue(paint, lips, behind, along, asked, let_in, y)
    colour = colour + (tongue - colour) * share

    across = along / ATLAS_WIDTH
    down = (y - rest.seam[:, :, None]) / ATLAS_HEIGHT
    dropped = down - _teeth_drop(pose.jaw_drop, asked.wide)[:, :, None] / ATLAS_HEIGHT
    shade = _on_teeth(behind, _LOWER_DEPTH + pucker, y, let_in, paint)
    colour = _lay_teeth(colour, paint.lower_teeth, across, dropped, shade)
    # The raised tip lies on the lower teeth and against the upper ones.
    colour = colour + (tongue - colour) * (share * (_TIP_SHARE * asked.tongue)[:, :, None, None])
    return _lay_teeth(colour, paint.upper_teeth, across, down, _on_teeth(lips, _UPPER_DEPTH + pucker, y, let_in, paint))


def _on_teeth(lips: Lips, depth: Tensor, y: Tensor, let_in: Tensor, paint: Paint) -> Tensor:
    """What of their colour teeth `depth` behind the lips have left (b, 3, rows, columns)."""
    light = 1 - paint.light[:, 0] * (1 - _light(lips, depth, y) * let_in)
    return _warm(light, paint) * paint.light[:, None, 1]


def _teeth_drop(jaw_drop: Tensor, wide: Tensor) -> Tensor:
    """Face units by which the lower teeth sink (b, 1)."""
    first, growth = TEETH_DROP
    return jaw_drop * (first + growth * jaw_drop) * (1 - _WIDE_BITE * wide)


def _scattered(light: Tensor) -> Tensor:
    """With what comes from all around."""
    return _AMBIENT + (1 - _AMBIENT) * light


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
    paint: Paint, lips: Lips, behind: Lips, along: Tensor, asked: Coefficients, let_in: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """Colour and share of a mound behind the lower lip; its tip rises to the upper teeth."""
    raised = asked.tongue[:, :, None]
    middle = (lips.lower - lips.upper).amax(2, keepdim=True).clamp(min=1e-3)
    height = (0.70 + 0.26 * raised) * middle
    top = lips.lower - height * (1 - (along / (0.85 - 0.28 * raised)) ** 2)
    share = torch.sigmoid((y - top) / (0.005 + 0.03 * middle))
    # Down the mound from its ridge: wet flesh shines a little below it.
    way = (y - top) / (height + 1e-3)
    body = 0.74 + 0.26 * torch.exp(-(((way - 0.3) / 0.40) ** 2)) - 0.06 * torch.exp(-((along / 0.13) ** 2))
    spots = torch.exp(-(((along + 0.17) / 0.14) ** 2)) + 0.7 * torch.exp(-(((along - 0.22) / 0.12) ** 2))
    shine = (0.14 + 0.24 * raised) * torch.exp(-(((way - 0.26) / 0.12) ** 2)) * spots
    # Its tip comes out of the shadow of the upper teeth.
    before = behind._replace(upper=behind.upper + (lips.upper - behind.upper) * raised)
    light = _scattered(_light(before, _TONGUE_DEPTH + (_TIP_DEPTH - _TONGUE_DEPTH) * raised, y) * let_in)
    lit = paint.tongue * body[:, None] * _warm(light, paint)
    lit = lit + (shine * light)[:, None] * paint.tongue.mean(1, keepdim=True)
    return lit, share[:, None]


def _lay_teeth(colour: Tensor, teeth: Teeth, across: Tensor, down: Tensor, light: Tensor) -> Tensor:
    """Teeth, looked up at across (b, 1, n) and down (b, m, 1) of -1..1, over the colour."""
    rows, columns = down.expand(-1, -1, across.shape[2]), across.expand(-1, down.shape[1], -1)
    seen = _seen_teeth(teeth, torch.stack([columns, rows], 3))
    return colour + (seen[:, :3] * light - colour) * seen[:, 3:]


def _seen_teeth(teeth: Teeth, grid: Tensor) -> Tensor:
    """RGBA 0..1 (b, 4, m, n) at the places of a grid (b, m, n, 2).

    The faces of a track are looked up as one high picture: each would need a copy of the atlases of its own.
    """
    tracks, ways, height, width, _ = teeth.atlases.shape
    faces, rows, columns, _ = grid.shape
    atlases = teeth.atlases.permute(0, 1, 4, 2, 3).reshape(tracks, ways * 4, height, width).float()
    places = grid.reshape(tracks, -1, columns, 2)
    found = functional.grid_sample(atlases, places, mode="bilinear", padding_mode="zeros", align_corners=False)
    # (t, k, 4, b / t, m, n), each by its share of its face
    apart = found.reshape(tracks, ways, 4, -1, rows, columns)
    shares = teeth.shares.reshape(tracks, -1, ways).permute(0, 2, 1)[:, :, None, :, None, None] / 255
    return (apart * shares).sum(1).permute(0, 2, 1, 3, 4).reshape(faces, 4, rows, columns)
