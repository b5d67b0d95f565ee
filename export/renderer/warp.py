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
"""|x| from where on nothing moves to the side"""
JAW_REACH: Final = 0.70
"""|x| from where on nothing moves with the jaw"""
_HOLLOW: Final = 0.09
"""Share of the opening by which the cheeks come in"""

STILL: Final = 0.0005
"""Displacements up to this are none, so that what hardly moves stays as it is"""
_SETTLED: Final = 0.0035


class Fields(NamedTuple):
    """Displacements (b, rows, columns)."""

    across: Tensor
    mixed: Tensor
    """down, outside the mouth window, where one layer is enough"""
    upper: Tensor
    lower: Tensor


class _Columns(NamedTuple):
    """Per column: where the posed lines are, and how far their points came from."""

    shift: Tensor
    lines: tuple[Tensor, ...]
    moves: tuple[Tensor, ...]
    near: Tensor
    """1 between the corners, falling to 0 beyond them"""
    cheek: Tensor
    """0 between the corners, rising to 1 beyond them"""


def displace(source: Contours, opening: Tensor, pose: Pose, rest: Rest, x: Tensor, y: Tensor) -> Fields:
    """Fields on a grid, x (b, columns), y (b, rows, 1), from a mouth that is open by `opening` (b, 1)."""
    columns = _columns(source, pose.contours, x)
    upper_outer, upper_inner, lower_inner, lower_outer = columns.lines
    nose = rest.nose[:, :, None]
    jaw = _jaw(columns, source.chin, pose.contours.chin, x, y)
    upper = _upper_layer(columns, nose, y) + jaw * columns.cheek
    lower = _lower_layer(columns, pose.contours.chin, x, y) + jaw

    rows = smoothstep((y - nose + 0.05) / 0.14) * (1 - smoothstep((y - 0.16 - pose.opening[:, :, None]) / 0.30))
    across = columns.shift * rows + _hollow(pose.opening - opening, x, y)
    middle = 0.5 * (upper_inner + lower_inner)
    mixed = lower + (upper - lower) * torch.sigmoid((middle - y) / 0.012)

    # Where the layers meet, the mixed displacement may cross zero although the old mouth must not show.
    lips = smoothstep((y - upper_outer + 0.02) / 0.02) * smoothstep((lower_outer + 0.02 - y) / 0.02)
    amount = torch.maximum(across.abs() + mixed.abs(), lips * torch.maximum(upper.abs(), lower.abs()))

    # A layer never looks past its own inner lip edge: nothing of the old mouth's inside gets through the soft seam.
    upper = upper - (y - upper_inner).clamp(0, 0.035) * columns.near
    lower = lower + (lower_inner - y).clamp(0, 0.035) * columns.near
    shown = smoothstep((amount - STILL) / _SETTLED)
    return Fields(across * shown, mixed * shown, upper * shown, lower * shown)


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
    apart = 0.5 * (low_inner - inner) * smoothstep(beyond / 0.10)
    moves = tuple(move[:, None] for move in (outer, inner + apart, low_inner - apart, low_outer))
    cheek = smoothstep(beyond / 0.22)
    return _Columns(shift[:, None], tuple(line[:, None] for line in new), moves, near[:, None], cheek[:, None])


def _upper_layer(columns: _Columns, nose: Tensor, y: Tensor) -> Tensor:
    """From nothing under the nose to the outer line, then to the inner line."""
    outer, inner, _, _ = columns.lines
    outer_move, inner_move, _, _ = columns.moves
    to_outer = smoothstep((y - nose) / (outer - nose).clamp(min=0.02))
    to_inner = ((y - outer) / (inner - outer).clamp(min=0.004)).clamp(0, 1)
    return outer_move * to_outer + (inner_move - outer_move) * to_inner


def _lower_layer(columns: _Columns, chin: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """From the inner line to the outer line, and out to nothing on the chin."""
    _, _, inner, outer = columns.lines
    _, _, inner_move, outer_move = columns.moves
    to_outer = ((y - inner) / (outer - inner).clamp(min=0.004)).clamp(0, 1)
    return inner_move + (outer_move - inner_move) * to_outer - outer_move * _way(outer, _jaw_line(chin, x), y)


def _jaw(columns: _Columns, old_chin: Tensor, new_chin: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The mandible turns about its joints: most at the chin, less to the sides, and the cheeks stretch above it."""
    outer = columns.lines[3]
    move = (old_chin - new_chin)[:, :, None] * (1 - smoothstep((x.abs() - 0.12) / (JAW_REACH - 0.12)))[:, None]
    line = _jaw_line(new_chin, x)
    # Beside the neck lies what does not move at all: a collar, hair, the wall.
    fade = 0.34 - 0.16 * smoothstep((x.abs() - 0.20) / 0.30)[:, None]
    return move * (_way(outer - 0.30 * columns.cheek, line, y) - smoothstep((y - line) / fade))


def _jaw_line(chin: Tensor, x: Tensor) -> Tensor:
    """y of the lower edge of the jaw (b, 1, columns)."""
    return chin[:, :, None] - 0.22 * (x**2)[:, None]


def _way(start: Tensor, end: Tensor, y: Tensor) -> Tensor:
    """0 above `start`, 1 below `end`, fairly even between."""
    way = ((y - start) / (end - start).clamp(min=0.05)).clamp(0, 1)
    return 0.35 * way + 0.65 * smoothstep(way)


def _hollow(opening: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The cheeks come in as the mouth opens: a displacement outwards."""
    away = x.abs()
    columns = smoothstep((away - 0.20) / 0.22) * (1 - smoothstep((away - 0.44) / 0.22)) * torch.sign(x)
    rows = smoothstep((y + 0.25) / 0.35) * (1 - smoothstep((y - 0.12) / 0.40))
    return _HOLLOW * opening[:, :, None] * columns[:, None] * rows
