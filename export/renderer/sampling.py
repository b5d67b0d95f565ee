"""Looking up a picture between its pixels, sharply: bilinear, plus the cubic's correction on the brightness alone.

A Catmull-Rom cubic is the bilinear value minus t (1 - t) / 2 times the bilinear value of the second difference. Eyes
(and 4:2:0 video) have little use for sharp colour, so only the brightness is corrected: five planes are looked up
bilinearly, in a third of the time that ONNX Runtime's bicubic GridSample takes.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

SHARPNESS: Final = 0.6
"""Factor of the correction; 0.5 is Catmull-Rom"""


def with_detail(picture: Tensor) -> Tensor:
    """(b, 3, h, w) -> (b, 5, h, w): the picture, and its brightness's second differences across and down."""
    red, green, blue = picture.split(1, 1)
    brightness = 0.299 * red + 0.587 * green + 0.114 * blue
    wide = functional.pad(brightness, (1, 1, 1, 1), mode="replicate")
    twice = 2 * brightness
    across = wide[:, :, 1:-1, 2:] + wide[:, :, 1:-1, :-2] - twice
    down = wide[:, :, 2:, 1:-1] + wide[:, :, :-2, 1:-1] - twice
    return torch.cat([picture, across, down], 1)


def look_up(detailed: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """(b, 3, rows, columns) seen at continuous pixel places, (b, rows, columns) each and held inside the picture."""
    side = detailed.shape[2]
    column, row = (torch.clamp(place, 0.5, side - 0.5) for place in (column, row))
    grid = torch.stack([column, row], 3) * (2 / side) - 1
    seen = functional.grid_sample(detailed, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    correction = _between(column) * seen[:, 3] + _between(row) * seen[:, 4]
    return seen[:, :3] - SHARPNESS * correction[:, None]


def _between(place: Tensor) -> Tensor:
    """t (1 - t) of the fraction t between two pixel centres."""
    fraction = (place - 0.5) - torch.floor(place - 0.5)
    return fraction * (1 - fraction)
