"""Pasting patches into planes: what must not change, what must, for every kind of frame."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Frame, Matrix, Range, yuv_to_rgb
from services.preprocess.crops import cut, inverse_affine
from services.render.edits.compositing import composite

LAYOUTS = [(8, (2, 2)), (8, (2, 1)), (8, (1, 1)), (10, (2, 2)), (10, (2, 1)), (10, (1, 1))]
SIDE = 64


def grey_frame(
    bit_depth: int = 8,
    step: tuple[int, int] = (2, 2),
    *,
    matrix: Matrix = Matrix.BT709,
    colour_range: Range = Range.LIMITED,
    size: tuple[int, int] = (200, 120),
) -> Frame:
    """A frame with a smooth slope in every plane."""
    width, height = size
    dtype: type[np.unsignedinteger[Any]] = np.uint8 if bit_depth == 8 else np.uint16
    unit = 1 << (bit_depth - 8)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    luma = ((90 + 60 * x + 30 * y) * unit).astype(dtype)
    chroma = np.meshgrid(np.linspace(110, 140, width // step[0]), np.linspace(0, 8, height // step[1]))
    u, v = ((chroma[0] + chroma[1]) * unit).astype(dtype), ((250 - chroma[0]) * unit).astype(dtype)
    return Frame(0, luma, u, v, bit_depth, matrix, colour_range)


def affine(left: float, top: float, scale: float = 1.0, degrees: float = 0.0) -> NDArray[np.float32]:
    """Frame -> crop: the crop's corner lies at (left, top), a frame pixel is `scale` crop pixels."""
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, -turn @ (left, top)]).astype(np.float32)


def disc(colour: tuple[int, int, int] = (255, 0, 0), radius: float = 0.3) -> NDArray[np.uint8]:
    """A patch that is opaque in the middle only."""
    x, y = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    patch = np.empty((SIDE, SIDE, 4), np.uint8)
    patch[..., :3] = colour
    patch[..., 3] = np.where(np.hypot(x - SIDE / 2, y - SIDE / 2) < radius * SIDE, 255, 0)
    return patch


def changes(frame: Frame, patch: NDArray[np.uint8], to_crop: NDArray[np.float32], weight: float = 1.0) -> list[int]:
    """Largest change in each plane."""
    before = deepcopy(frame)
    composite(frame, patch, to_crop, weight)
    pairs = zip(frame.planes, before.planes, strict=True)
    return [int(np.abs(after.astype(int) - old.astype(int)).max()) for after, old in pairs]


@pytest.mark.parametrize("scale", [0.9, 1.3, 2.1])
def test_a_patch_that_repeats_the_frame_takes_none_of_its_detail(scale: float) -> None:
    frame = grey_frame()
    frame.y[:] = np.random.default_rng(0).integers(60, 200, frame.y.shape)
    to_crop = affine(60, 30, scale, degrees=7)
    crop = cut(frame, inverse_affine(to_crop.astype(np.float64)), SIDE)
    opaque, kept = np.full((SIDE, SIDE, 1), 255, np.uint8), np.zeros((SIDE, SIDE, 1), np.uint8)
    kept[:, : SIDE // 2] = 255
    before = deepcopy(frame)
    composite(frame, np.dstack([crop, opaque]), to_crop, 1.0, np.dstack([crop, kept]))
    x, y = np.meshgrid(np.arange(200) + 0.5, np.arange(120) + 0.5)
    across, down = np.einsum("ij,jyx->iyx", to_crop[:, :2], np.stack([x, y])) + to_crop[:, 2, None, None]
    inside = (down > 4) & (down < SIDE - 4)
    change = np.abs(frame.y.astype(int) - before.y)
    assert change[inside & (across > 4) & (across < SIDE / 2 - 4)].max() == 0
    assert change[inside & (across > SIDE / 2 + 4) & (across < SIDE - 4)].mean() > 5


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
def test_the_patch_shows_its_colour_and_nothing_else_changes(bit_depth: int, step: tuple[int, int]) -> None:
    frame = grey_frame(bit_depth, step)
    before = deepcopy(frame)
    composite(frame, disc((200, 40, 60)), affine(51.3, 20.7), 1.0)
    np.testing.assert_allclose(frame.rgb()[52, 83], (200, 40, 60), atol=3)
    # The disc reaches 19.2 pixels from (83.3, 52.7); cubic sampling and the chroma sites add at most 4.
    x, y = np.meshgrid(np.arange(200) + 0.5, np.arange(120) + 0.5)
    outside = np.hypot(x - 83.3, y - 52.7) > 24
    np.testing.assert_array_equal(frame.y[outside], before.y[outside])
    sites = outside.reshape(120 // step[1], step[1], 200 // step[0], step[0]).all(axis=(1, 3))
    np.testing.assert_array_equal(frame.u[sites], before.u[sites])
    np.testing.assert_array_equal(frame.v[sites], before.v[sites])


@pytest.mark.parametrize("matrix", list(Matrix))
@pytest.mark.parametrize("colour_range", list(Range))
def test_the_frames_own_matrix_and_range_are_used(matrix: Matrix, colour_range: Range) -> None:
    frame = grey_frame(8, (1, 1), matrix=matrix, colour_range=colour_range)
    composite(frame, disc((30, 180, 90)), affine(50, 20), 1.0)
    shown = yuv_to_rgb(np.dstack(frame.planes), matrix, colour_range, 8)
    np.testing.assert_allclose(shown[52, 82], (30, 180, 90), atol=3)


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
def test_no_weight_or_no_alpha_changes_nothing(bit_depth: int, step: tuple[int, int]) -> None:
    frame = grey_frame(bit_depth, step)
    assert changes(frame, disc(), affine(40, 20), weight=0.0) == [0, 0, 0]
    assert changes(frame, disc(radius=0.0), affine(40, 20)) == [0, 0, 0]


def test_half_a_weight_shows_half_the_patch() -> None:
    whole, half = grey_frame(8, (1, 1)), grey_frame(8, (1, 1))
    before = float(whole.y[52, 82])
    composite(whole, disc((255, 255, 255)), affine(50, 20), 1.0)
    composite(half, disc((255, 255, 255)), affine(50, 20), 0.5)
    assert float(half.y[52, 82]) == pytest.approx((before + float(whole.y[52, 82])) / 2, abs=1)


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
def test_a_patch_of_the_source_itself_leaves_no_seam(bit_depth: int, step: tuple[int, int]) -> None:
    frame = grey_frame(bit_depth, step)
    patch = disc()
    patch[..., :3] = frame.rgb_region(50, 20, 50 + SIDE, 20 + SIDE)
    steps = changes(frame, patch, affine(50, 20))
    # An 8-bit patch can be off by half a step in each of R, G and B.
    assert max(steps) <= (1 if bit_depth == 8 else 4)


@pytest.mark.parametrize("corner", [(-30.5, 30.0), (170.25, 40.0), (60.0, -41.7), (60.0, 95.3), (-40.0, -40.0)])
@pytest.mark.parametrize(("bit_depth", "step"), [(8, (2, 2)), (10, (2, 1))])
def test_a_face_partly_outside_the_picture_is_cut_off(
    corner: tuple[float, float], bit_depth: int, step: tuple[int, int]
) -> None:
    frame, larger = grey_frame(bit_depth, step), grey_frame(bit_depth, step, size=(360, 280))
    larger.y[...], larger.u[...], larger.v[...] = (int(plane.mean()) for plane in frame.planes)
    for whole, part in zip(larger.planes, frame.planes, strict=True):
        top, left = (80 * part.shape[0]) // 120, (80 * part.shape[1]) // 200
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    composite(frame, disc(), affine(*corner), 1.0)
    composite(larger, disc(), affine(corner[0] + 80, corner[1] + 80), 1.0)
    for whole, part in zip(larger.planes, frame.planes, strict=True):
        top, left = (80 * part.shape[0]) // 120, (80 * part.shape[1]) // 200
        seen = whole[top : top + part.shape[0], left : left + part.shape[1]]
        np.testing.assert_allclose(part.astype(int), seen.astype(int), atol=1)


@pytest.mark.parametrize("corner", [(-500.0, 10.0), (300.0, 10.0), (10.0, 4000.0)])
def test_a_face_wholly_outside_the_picture_changes_nothing(corner: tuple[float, float]) -> None:
    assert changes(grey_frame(), disc(), affine(*corner)) == [0, 0, 0]


@pytest.mark.parametrize("degrees", [-25, 10, 90])
@pytest.mark.parametrize("scale", [0.4, 1.0, 1.7, 2.6, 5.0])
def test_a_turned_and_scaled_patch_lands_where_the_affine_says(scale: float, degrees: float) -> None:
    frame = grey_frame(8, (1, 1), size=(240, 240))
    before = deepcopy(frame)
    to_crop = affine(0, 0, scale, degrees)
    to_crop[:, 2] = SIDE / 2 - to_crop[:, :2] @ (121.5, 118.25)
    composite(frame, disc((255, 255, 255)), to_crop, 1.0)
    share = (frame.y.astype(float) - before.y) / (235 - before.y)
    x, y = np.meshgrid(np.arange(240) + 0.5, np.arange(240) + 0.5)
    assert (share * x).sum() / share.sum() == pytest.approx(121.5, abs=0.15)
    assert (share * y).sum() / share.sum() == pytest.approx(118.25, abs=0.15)
    assert share.sum() == pytest.approx(np.pi * (0.3 * SIDE / scale) ** 2, rel=0.06)


def test_a_patch_finer_than_the_frame_is_averaged_not_skipped() -> None:
    frame = grey_frame(8, (1, 1))
    frame.y[...] = 100
    patch = disc(radius=0.45)
    patch[..., :3] = np.where(np.arange(SIDE) % 4 < 2, 0, 255)[None, :, None]
    composite(frame, patch, affine(60, 30, scale=4.0), 1.0)
    middle = frame.y[34:42, 64:72].astype(int)
    assert np.ptp(middle) <= 10, "stripes of one frame pixel's width become an even grey"
