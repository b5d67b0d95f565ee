"""mouth_renderer: the torch module of the renderer, from crop, landmarks and coefficients to the re-posed patch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.renderer.contours import Coefficients, contours_of, inside_open_lips, parted_share, pose, rest_of
from export.renderer.curves import smoothstep
from export.renderer.interior import Lips, Paint, lips_at, paint_inside, shade_seam
from export.renderer.sampling import look_up, with_detail
from export.renderer.warp import Fields, displace
from export.torch_to_onnx import trace

LEFT: Final = -0.75
TOP: Final = -0.55
EXTENT: Final = 1.5
SIDES: Final = (256, 384, 512)
LANDMARKS: Final = 478
TEETH_ROWS: Final = 128
TEETH_COLUMNS: Final = 256

PARTS: Final = 32
FEATHER: Final = 0.025
STILL: Final = 0.0005
"""Displacement up to which a pixel is not touched at all"""

# In 32nds of the side. The area holds everything that can move; the window everything that needs two layers.
AREA_TOP, AREA_BOTTOM, AREA_LEFT, AREA_RIGHT = 3, 32, 2, 30
WINDOW_TOP, WINDOW_BOTTOM, WINDOW_LEFT, WINDOW_RIGHT = 8, 19, 8, 24


class MouthRenderer(nn.Module):  # type: ignore[misc]
    """Formulas only. The side of the crop is free, but a multiple of 64."""

    def forward(
        self,
        crop: Tensor,
        landmarks: Tensor,
        rest: Tensor,
        coefficients: Tensor,
        upper_teeth: Tensor,
        lower_teeth: Tensor,
        tones: Tensor,
    ) -> Tensor:
        """uint8 (b, side, side, 3) and the rest of the contract -> uint8 (b, side, side, 4)."""
        part, unit = crop.shape[1] // PARTS, EXTENT / crop.shape[1]
        asked = Coefficients(*coefficients.split(1, 1))
        resting_points = _face_units(rest, unit)
        resting = rest_of(resting_points)
        posed = pose(contours_of(resting_points), resting, asked)
        seen = contours_of(_face_units(landmarks, unit))
        source = inside_open_lips(seen)

        # Displacements are smooth: half as many rows and columns do.
        coarse = torch.stack(displace(source, posed, resting, *_grid(part // 2, 2 * unit)), 1)
        fine = functional.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        fields = Fields(*fine.unbind(1))
        x, y = _grid(part, unit)
        rows, columns = _window(part)
        window_x, window_y = x[:, columns], y[:, rows]

        picture = with_detail(crop.permute(0, 3, 1, 2).float() / 255)
        lips = lips_at(posed, window_x, window_y)
        feather = _feather(window_x, window_y)
        share = lips.inside * feather
        skin = _two_layers(picture, _cut(fields, rows, columns), lips, feather, window_x, window_y)
        skin = shade_seam(skin, lips, posed, parted_share(seen), window_x, window_y)
        paint = _paint(upper_teeth, lower_teeth, tones)
        inside = paint_inside(paint, lips, posed, resting, asked, window_x, window_y)
        window = skin + (inside - skin) * share[:, None]

        colour = _around(picture, fields, window, x, y, rows, columns)
        moved = smoothstep((fields.amount - STILL) / 0.004)
        alpha = torch.maximum(moved, _place(share, moved, rows, columns)) * _border(x, y)
        return _patch(colour, alpha, part)


def _face_units(points: Tensor, unit: Tensor) -> Tensor:
    """Landmarks (b, 478, 3) in crop pixels -> (b, 478, 2) in face units."""
    return points[:, :, :2] * unit + torch.tensor([LEFT, TOP])


def _grid(part: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
    """Pixel centres of the area in face units, x (1, columns) and y (1, rows, 1); `unit` is the size of a pixel."""
    columns = torch.arange(AREA_LEFT * part, AREA_RIGHT * part, dtype=torch.float32)
    rows = torch.arange(AREA_TOP * part, AREA_BOTTOM * part, dtype=torch.float32)
    return ((columns + 0.5) * unit + LEFT)[None], ((rows + 0.5) * unit + TOP)[None, :, None]


def _window(part: Tensor) -> tuple[slice, slice]:
    """Rows and columns of the mouth window inside the area."""
    rows = slice((WINDOW_TOP - AREA_TOP) * part, (WINDOW_BOTTOM - AREA_TOP) * part)
    return rows, slice((WINDOW_LEFT - AREA_LEFT) * part, (WINDOW_RIGHT - AREA_LEFT) * part)


def _cut(fields: Fields, rows: slice, columns: slice) -> Fields:
    return Fields(*(field[:, rows, columns] for field in fields))


def _feather(x: Tensor, y: Tensor) -> Tensor:
    """1 inside the mouth window, 0 at its edges, (1, rows, columns)."""
    sides = smoothstep((x - x[:, :1]) / FEATHER) * smoothstep((x[:, -1:] - x) / FEATHER)
    return sides[:, None] * smoothstep((y - y[:, :1]) / FEATHER) * smoothstep((y[:, -1:] - y) / FEATHER)


def _border(x: Tensor, y: Tensor) -> Tensor:
    """1 in the middle of the area, 0 at its edges, (1, rows, columns)."""
    sides = 1 - smoothstep((x.abs() - 0.56) / 0.09)
    return sides[:, None] * smoothstep((y + 0.40) / 0.10) * (1 - smoothstep((y - 0.81) / 0.12))


def _paint(upper_teeth: Tensor, lower_teeth: Tensor, tones: Tensor) -> Paint:
    """Textures channels first, 0..1; tones: rows cavity and tongue, then whether the teeth are drawn."""
    upper, lower = (teeth.permute(0, 3, 1, 2).float() / 255 for teeth in (upper_teeth, lower_teeth))
    colours = tones[:, :, :, None, None]
    return Paint(upper, lower, colours[:, 0], colours[:, 1], colours[:, 2, :1])


def _warp(picture: Tensor, x: Tensor, y: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """The detailed picture seen from the pixels x, y, displaced; (b, 3, rows, columns)."""
    pixels = picture.shape[2] / EXTENT
    return look_up(picture, (x[:, None] + across - LEFT) * pixels, (y + down - TOP) * pixels)


def _two_layers(picture: Tensor, fields: Fields, lips: Lips, feather: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Both lips' layers in the window, joined; at the window's edge they become the one layer around it."""
    upper, lower = (fields.mixed + (layer - fields.mixed) * feather for layer in (fields.upper, fields.lower))
    upper_lip, lower_lip = (_warp(picture, x, y, fields.across, layer) for layer in (upper, lower))
    return lower_lip + (upper_lip - lower_lip) * lips.from_upper[:, None]


def _around(
    picture: Tensor, fields: Fields, window: Tensor, x: Tensor, y: Tensor, rows: slice, columns: slice
) -> Tensor:
    """The whole area: one layer in the four strips round the window."""

    def strip(down: slice, along: slice) -> Tensor:
        return _warp(picture, x[:, along], y[:, down], fields.across[:, down, along], fields.mixed[:, down, along])

    everywhere = slice(None)
    middle = [strip(rows, slice(None, columns.start)), window, strip(rows, slice(columns.stop, None))]
    above, below = strip(slice(None, rows.start), everywhere), strip(slice(rows.stop, None), everywhere)
    return torch.cat([above, torch.cat(middle, 3), below], 2)


def _place(share: Tensor, area: Tensor, rows: slice, columns: slice) -> Tensor:
    """The window's share in an area that is 0 elsewhere."""
    right, bottom = area.shape[2] - columns.stop, area.shape[1] - rows.stop
    return functional.pad(share, (columns.start, right, rows.start, bottom))


def _patch(colour: Tensor, alpha: Tensor, part: Tensor) -> Tensor:
    """The area as uint8 RGBA (b, side, side, 4); its edge colours, transparent, fill the rest of the crop."""
    margins = (AREA_LEFT * part, (PARTS - AREA_RIGHT) * part, AREA_TOP * part, (PARTS - AREA_BOTTOM) * part)
    patch = functional.pad(torch.cat([colour, alpha[:, None]], 1) * 255, margins, mode="replicate")
    return patch.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def example(side: int, batch: int) -> dict[str, Tensor]:
    """Inputs of the right shapes and types, for tracing."""
    points = torch.rand(batch, LANDMARKS, 3) * side
    teeth = torch.zeros(batch, TEETH_ROWS, TEETH_COLUMNS, 4, dtype=torch.uint8)
    return {
        "crop": torch.zeros(batch, side, side, 3, dtype=torch.uint8),
        "landmarks": points,
        "rest": points,
        "coefficients": torch.rand(batch, len(Coefficients._fields)),
        "upper_teeth": teeth,
        "lower_teeth": teeth,
        "tones": torch.rand(batch, 3, 3),
    }


def build(source: Path) -> onnx.ModelProto:
    """The served model; `source` is the folder of its formulas, which are already imported."""
    if not source.is_dir():
        message = f"{source} is not there"
        raise FileNotFoundError(message)
    free = {1: "side", 2: "side"}
    return trace(MouthRenderer().eval(), example(SIDES[0], 2), "patch", {"crop": free, "patch": free})
