"""mouth_renderer: the torch module of the renderer, from landmarks and coefficients to fields that re-pose a mouth.

It sees no picture. Who has the frame samples it once, along the displacements, and lays the mouth's inside over it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import onnx
import torch
from torch import Tensor, nn

from export.renderer.contours import (
    Coefficients,
    between,
    contours_of,
    faded,
    inside_open_lips,
    opening_of,
    parted_share,
    pose,
    rest_of,
)
from export.renderer.curves import smoothstep
from export.renderer.interior import Paint, Teeth, paint_inside
from export.renderer.lips import Lips, lips_at, seam_at, with_seam
from export.renderer.points import LANDMARKS
from export.renderer.warp import displace
from export.torch_to_onnx import trace

FEATHER: Final = 0.025
"""Face units in which the window goes over into the area around it"""
FADE: Final = 0.10
"""Face units in which every displacement ends at the edges of the area"""
PAINTED: Final = 0.25
"""Weight below which the footage's own mouth shows through what is painted between the lips"""
UNSEEN: Final = 1 / 1024
"""Share of the inside that is no level of alpha"""
ROUND_SEEN: Final = 2
"""Rows that whoever lays the picture over the lips may mix with those that show"""
OUTPUTS: Final = ("around", "lips", "inside")


class MouthRenderer(nn.Module):  # type: ignore[misc]
    """Formulas only. The numbers of columns and rows of the area and of the window are free.

    A row of the batch is a track and the same number of its faces for each: what they share is sent, and made ready,
    once for all of them.
    """

    def forward(
        self,
        landmarks: Tensor,
        rest: Tensor,
        coefficients: Tensor,
        weight: Tensor,
        upper_teeth: Tensor,
        upper_shares: Tensor,
        lower_teeth: Tensor,
        tones: Tensor,
        area_columns: Tensor,
        area_rows: Tensor,
        window_columns: Tensor,
        window_rows: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The contract's inputs -> around (t, f, rows, columns, 2), lips (t, f, rows, columns, 4), inside likewise."""
        tracks, faces = weight.shape[:2]

        def of_faces(given: Tensor) -> Tensor:
            """What a track's faces share, (t, ...) -> (b, ...)."""
            return given[:, None].expand(-1, faces, *given.shape[1:]).flatten(0, 1)

        landmarks, rest, coefficients, weight = (
            given.flatten(0, 1) for given in (landmarks, rest, coefficients, weight)
        )
        area_columns, area_rows, window_columns, window_rows = (
            of_faces(given) for given in (area_columns, area_rows, window_columns, window_rows)
        )
        asked = Coefficients(*coefficients.split(1, 1))
        resting = rest_of(rest)
        seen = contours_of(landmarks)
        posed = faded(pose(contours_of(rest), resting, asked), seen, weight)
        painted = smoothstep(weight / PAINTED)
        before = between(seen, inside_open_lips(seen), painted), opening_of(seen)

        area = area_columns, area_rows[:, :, None]
        window = window_columns, window_rows[:, :, None]
        wide = displace(*before, posed, resting, *area)
        near = displace(*before, posed, resting, *window)
        around = torch.stack([wide.across, wide.mixed], 3) * _inwards(*area, FADE)[..., None]

        lips = lips_at(posed, *window)
        feather = _inwards(*window, FEATHER)
        paint = _paint(upper_teeth, upper_shares.flatten(0, 1), lower_teeth, of_faces(tones))
        first, last = _open_rows(lips)
        colour = paint_inside(paint, lips, posed, resting, asked, window_columns, window[1][:, first:last])
        colour = _unpainted_around(colour, lips, first, last)
        seam = seam_at(lips, posed, parted_share(seen), *window)
        colour, alpha = with_seam(colour, lips, seam, paint.cavity)
        layers = torch.stack([near.upper, near.lower, lips.from_upper, feather.expand_as(near.upper)], 3)
        inside = _bytes(torch.cat([colour, (alpha * feather * painted[..., None])[:, None]], 1))
        around, layers, inside = (made.unflatten(0, (tracks, faces)) for made in (around, layers, inside))
        return around, layers, inside


def _inwards(x: Tensor, y: Tensor, reach: float) -> Tensor:
    """0 at the edges of a grid, 1 from `reach` inside them on, (b, rows, columns)."""
    sides = smoothstep((x - x[:, :1]) / reach) * smoothstep((x[:, -1:] - x) / reach)
    return sides[:, None] * smoothstep((y - y[:, :1]) / reach) * smoothstep((y[:, -1:] - y) / reach)


def _open_rows(lips: Lips) -> tuple[Tensor, Tensor]:
    """The first row of the window in which any face shows its mouth's inside, and the one behind the last; never none.

    Looking up teeth and shading them is most of the work, and mouths are shut, or open by a third of the window.
    """
    count = lips.inside.shape[1]
    rows = torch.arange(count)
    seen = lips.inside.amax((0, 2)) > UNSEEN
    first = torch.where(seen, rows, count - 1).amin() - ROUND_SEEN
    last = torch.where(seen, rows, 0).amax() + 1 + ROUND_SEEN
    first = first.clamp(min=0)
    return first, torch.maximum(last.clamp(max=count), first + 1)


def _unpainted_around(colour: Tensor, lips: Lips, first: Tensor, last: Tensor) -> Tensor:
    """The colours (b, 3, some rows, columns) of all rows: black where nobody sees them."""
    nothing = torch.zeros_like(lips.inside)[:, None].expand(-1, 3, -1, -1)
    return torch.cat([nothing[:, :, :first], colour, nothing[:, :, last:]], 2)


def _paint(upper_teeth: Tensor, upper_shares: Tensor, lower_teeth: Tensor, tones: Tensor) -> Paint:
    """Tones: rows cavity, tongue and light, of every face."""
    upper, lower = Teeth(upper_teeth, upper_shares), Teeth(lower_teeth[:, None], torch.ones_like(tones[:, 0, :1]))
    colours = tones[:, :, :, None, None]
    return Paint(upper, lower, colours[:, 0], colours[:, 1], colours[:, 2])


def _bytes(picture: Tensor) -> Tensor:
    """(b, 4, rows, columns) of 0..1 -> uint8 (b, rows, columns, 4)."""
    return (picture * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def example(batch: int, faces: int, ways: int) -> dict[str, Tensor]:
    """Inputs of the right shapes and types, for tracing."""
    points = torch.rand(batch, faces, LANDMARKS, 2)
    teeth = torch.zeros(batch, ways, 8, 12, 4, dtype=torch.uint8)

    def places(low: float, high: float, count: int) -> Tensor:
        return torch.linspace(low, high, count).repeat(batch, 1)

    return {
        "landmarks": points,
        "rest": points,
        "coefficients": torch.rand(batch, faces, len(Coefficients._fields)),
        "weight": torch.ones(batch, faces, 1),
        "upper_teeth": teeth,
        "upper_shares": torch.ones(batch, faces, ways),
        "lower_teeth": teeth[:, 0],
        "tones": torch.rand(batch, 3, 3),
        "area_columns": places(-0.65, 0.65, 14),
        "area_rows": places(-0.4, 0.9, 15),
        "window_columns": places(-0.4, 0.4, 16),
        "window_rows": places(-0.2, 0.3, 17),
    }


def build(source: Path) -> onnx.ModelProto:
    """The served model; `source` is the folder of its formulas, which are already imported."""
    if not source.is_dir():
        message = f"{source} is not there"
        raise FileNotFoundError(message)
    grids = {name: {1: name} for name in ("area_columns", "area_rows", "window_columns", "window_rows")}
    window = {1: "faces", 2: "window_rows", 3: "window_columns"}
    axes = {
        **{name: {1: "faces"} for name in ("landmarks", "rest", "coefficients", "weight")},
        **grids,
        "upper_teeth": {1: "ways", 2: "upper_teeth_rows", 3: "upper_teeth_columns"},
        "upper_shares": {1: "faces", 2: "ways"},
        "lower_teeth": {1: "lower_teeth_rows", 2: "lower_teeth_columns"},
        "around": {1: "faces", 2: "area_rows", 3: "area_columns"},
        "lips": window,
        "inside": window,
    }
    return trace(MouthRenderer().eval(), example(2, 3, 2), OUTPUTS, axes)
