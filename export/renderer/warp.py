"""How far every pixel of the lower face moves: one field across, and one down for each of the two lips' layers.

Lips are functions y(x), so every field is made of curves over the columns, blended down the rows. All lengths in
face units; columns are (b, n), fields (b, rows, columns). A displacement points from the new picture to the old one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from export.renderer.contours import Contours, Pose, Rest, heights
from export.renderer.curves import polyline, smoothstep

REACH: Final = 0.62
"""|x| from where on nothing moves"""


class Fields(NamedTuple):
    """Displacements, and how much a pixel must be replaced."""

    across: Tensor
    mixed: Tensor
    """down, outside the mouth window, where one layer is enough"""
    upper: Tensor
    lower: Tensor
    amount: Tensor
    """largest displacement that shows at this pixel"""


class _Columns(NamedTuple):
    """Per column: where the posed lines are, and how far their points came from."""

    shift: Tensor
    lines: tuple[Tensor, ...]
    moves: tuple[Tensor, ...]
    near: Tensor
    """1 between the corners, falling to 0 beyond them"""


def displace(source: Contours, pose: Pose, rest: Rest, x: Tensor, y: Tensor) -> Fields:
    """Fields on a grid: x (1, columns), y (1, rows, 1)."""
    columns = _columns(source, pose.contours, x)
    upper_outer, upper_inner, lower_inner, lower_outer = columns.lines
    nose = rest.nose[:, :, None]
    upper = _upper_layer(columns, nose, y)
    lower = _lower_layer(columns, source.chin, pose.contours.chin, x, y)

    rows = smoothstep((y - nose + 0.05) / 0.14) * (1 - smoothstep((y - 0.16 - pose.opening[:, :, None]) / 0.30))
    across = columns.shift * rows
    middle = 0.5 * (upper_inner + lower_inner)
    mixed = lower + (upper - lower) * torch.sigmoid((middle - y) / 0.012)

    # Where the layers meet, the mixed displacement may cross zero although the old pixel must not shine through.
    lips = smoothstep((y - upper_outer + 0.02) / 0.02) * smoothstep((lower_outer + 0.02 - y) / 0.02)
    amount = torch.maximum(across.abs() + mixed.abs(), lips * torch.maximum(upper.abs(), lower.abs()))

    # A layer never looks past its own inner lip edge: nothing of the old mouth's inside gets through the soft seam.
    upper = upper - (y - upper_inner).clamp(0, 0.035) * columns.near
    lower = lower + (lower_inner - y).clamp(0, 0.035) * columns.near
    return Fields(across, mixed, upper, lower, amount)


def _columns(source: Contours, target: Contours, x: Tensor) -> _Columns:
    edge = torch.full_like(target.left, REACH)
    knots = torch.cat([-edge, target.left, target.middle, target.right, edge], 1)
    places = torch.cat([-edge, source.left, source.middle, source.right, edge], 1)
    moving = (x.abs() < REACH).to(x.dtype)
    shift = (polyline(x, knots, places) - x) * moving
    beyond = torch.maximum(target.left - x, x - target.right).clamp(min=0)
    near = 1 - smoothstep(beyond / 0.26)
    old, new = heights(source, x + shift), heights(target, x)
    outer, inner, low_inner, low_outer = ((before - after) * near for before, after in zip(old, new, strict=True))
    # The lips part the skin in the corner, not the cheek beyond it.
    apart = 0.5 * (low_inner - inner) * smoothstep(beyond / 0.05)
    moves = tuple(move[:, None] for move in (outer, inner + apart, low_inner - apart, low_outer))
    return _Columns(shift[:, None], tuple(line[:, None] for line in new), moves, near[:, None])


def _upper_layer(columns: _Columns, nose: Tensor, y: Tensor) -> Tensor:
    """From nothing under the nose to the outer line, then to the inner line."""
    outer, inner, _, _ = columns.lines
    outer_move, inner_move, _, _ = columns.moves
    to_outer = smoothstep((y - nose) / (outer - nose).clamp(min=0.02))
    to_inner = ((y - outer) / (inner - outer).clamp(min=0.004)).clamp(0, 1)
    return outer_move * to_outer + (inner_move - outer_move) * to_inner


def _lower_layer(columns: _Columns, old_chin: Tensor, new_chin: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """From the inner line to the outer line, to the chin, and out to nothing below it."""
    _, _, inner, outer = columns.lines
    _, _, inner_move, outer_move = columns.moves
    jaw = (1 - smoothstep((x.abs() - 0.10) / 0.52))[:, None]
    chin_move = (old_chin - new_chin)[:, :, None] * jaw
    chin = new_chin[:, :, None] - 0.22 * (x**2)[:, None]
    to_outer = ((y - inner) / (outer - inner).clamp(min=0.004)).clamp(0, 1)
    way = ((y - outer) / (chin - outer).clamp(min=0.05)).clamp(0, 1)
    to_chin = 0.35 * way + 0.65 * smoothstep(way)
    fade = smoothstep((y - chin) / 0.34)
    return inner_move + (outer_move - inner_move) * to_outer + (chin_move - outer_move) * to_chin - chin_move * fade
