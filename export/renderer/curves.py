"""The curves that everything in the renderer is made of."""

from __future__ import annotations

import torch
from torch import Tensor


def smoothstep(values: Tensor) -> Tensor:
    """0 below 0, 1 above 1, a smooth cubic between."""
    inside = values.clamp(0, 1)
    return inside * inside * (3 - 2 * inside)


def polyline(x: Tensor, knots: Tensor, heights: Tensor) -> Tensor:
    """Height at x (b or 1, n) of the polyline through knots (b, k) ascending, heights (b, k); constant outside.

    Written as a sum of clamped ramps: no search, no gather.
    """
    widths = (knots[:, 1:] - knots[:, :-1]).clamp(min=1e-4)
    slopes = (heights[:, 1:] - heights[:, :-1]) / widths
    travelled = torch.minimum((x[:, :, None] - knots[:, None, :-1]).clamp(min=0), widths[:, None, :])
    return heights[:, :1] + (travelled * slopes[:, None, :]).sum(2)


def rounded(points: Tensor) -> Tensor:
    """Ordinates (b, k) of a polyline -> (b, 2k - 1) with a point between any two, on the cubic through its neighbours.

    What lies beyond the ends is continued straight. The line's points stay, its corners go.
    """
    before, after = 2 * points[:, :1] - points[:, 1:2], 2 * points[:, -1:] - points[:, -2:-1]
    longer = torch.cat([before, points, after], 1)
    between = (9 * (longer[:, 1:-2] + longer[:, 2:-1]) - longer[:, :-3] - longer[:, 3:]) / 16
    pairs = torch.stack([points[:, :-1], between], 2).flatten(1)
    return torch.cat([pairs, points[:, -1:]], 1)
