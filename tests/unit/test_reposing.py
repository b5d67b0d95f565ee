"""Re-posing in planes: what stays bit by bit, where a shift lands, what is laid over, for every kind of frame."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Frame, Matrix, Range
from services.render.edits.grid import Grid, grid_over
from services.render.edits.reposing import Repose

LAYOUTS = [(8, (2, 2)), (8, (2, 1)), (8, (1, 1)), (10, (2, 2)), (10, (2, 1)), (10, (1, 1))]
WIDTH, HEIGHT = 320, 240
UNIT = 100.0
CENTRE = (160.0, 110.0)


def wavy_frame(
    bit_depth: int, step: tuple[int, int], shift: tuple[float, float] = (0, 0), size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Frame:
    """The same waves in every plane."""
    dtype: type[np.unsignedinteger[Any]] = np.uint8 if bit_depth == 8 else np.uint16
    planes = []
    for across, down in ((1, 1), step, step):
        width, height = size[0] // across, size[1] // down
        x, y = np.meshgrid((np.arange(width) + 0.5) * across - shift[0], (np.arange(height) + 0.5) * down - shift[1])
        planes.append(np.rint((128 + 60 * np.sin(x / 11) * np.cos(y / 13)) * (1 << (bit_depth - 8))).astype(dtype))
    return Frame(0, planes[0], planes[1], planes[2], bit_depth, Matrix.BT709, Range.LIMITED)


def to_face(degrees: float = 0.0, unit: float = UNIT, centre: tuple[float, float] = CENTRE) -> NDArray[np.float64]:
    """Frame -> face units: `unit` pixels each, turned round the centre."""
    angle = np.radians(degrees)
    linear = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / unit
    return np.column_stack([linear, -linear @ centre])


def fading(grid: Grid, reach: float) -> NDArray[np.float32]:
    """(rows, columns) 1, falling to 0 at the edges of a grid."""
    x, y = (np.minimum(places - places[0], places[-1] - places) / reach for places in (grid.x, grid.y))
    return np.asarray(np.clip(np.minimum(x[None], y[:, None]), 0, 1), np.float32)


def repose_of(
    shift: tuple[float, float] = (0, 0),
    *,
    lips: tuple[float, float] | None = None,
    colour: tuple[int, int, int, int] = (0, 0, 0, 0),
    unit: float = UNIT,
) -> Repose:
    """Everything moves by `shift` face units, in the window the lips down by `lips`, under an RGBA colour."""
    area, window = grid_over(-0.8, -0.7, 0.8, 0.9, 3 / unit), grid_over(-0.3, -0.2, 0.3, 0.2, 1 / unit)
    around = -np.array(shift, np.float32) * fading(area, 0.3)[..., None]
    upper, lower = lips or (shift[1], shift[1])
    counts = fading(window, 0.05)
    share = np.repeat((window.y < 0).astype(np.float32)[:, None], window.columns, axis=1)
    layers = np.dstack([np.full_like(counts, -upper), np.full_like(counts, -lower), share, counts])
    inside = np.broadcast_to(np.array(colour, np.uint8), (*counts.shape, 4)) * (counts[..., None] == 1)
    return Repose(area, window, around, layers, inside.astype(np.uint8), to_face(unit=unit))


def same_bits(first: Frame, second: Frame) -> bool:
    return all(np.array_equal(*planes) for planes in zip(first.planes, second.planes, strict=True))


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
def test_what_does_not_move_keeps_its_bits(bit_depth: int, step: tuple[int, int]) -> None:
    frame = wavy_frame(bit_depth, step)
    repose_of().apply(frame)
    assert same_bits(frame, wavy_frame(bit_depth, step))


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
@pytest.mark.parametrize("degrees", [0.0, -20.0, 75.0])
def test_a_shift_lands_where_it_should_in_every_plane(bit_depth: int, step: tuple[int, int], degrees: float) -> None:
    frame, before = wavy_frame(bit_depth, step), wavy_frame(bit_depth, step)
    edit = replace(repose_of((0.073, -0.031)), to_face=to_face(degrees))
    edit.apply(frame)
    pixels = np.linalg.inv(edit.to_face[:, :2]) @ (0.073, -0.031)
    moved = wavy_frame(bit_depth, step, (float(pixels[0]), float(pixels[1])))
    for plane, expected, old in zip(frame.planes, moved.planes, before.planes, strict=True):
        scale_y, scale_x = plane.shape[0] / HEIGHT, plane.shape[1] / WIDTH
        middle = np.s_[int(95 * scale_y) : int(125 * scale_y), int(145 * scale_x) : int(175 * scale_x)]
        assert np.abs(plane[middle].astype(int) - expected[middle]).max() <= 2 * (1 << (bit_depth - 8))
        assert np.abs(old[middle].astype(int) - expected[middle]).max() > 10
        np.testing.assert_array_equal(plane[:, 0], old[:, 0])
        np.testing.assert_array_equal(plane[-1], old[-1])


def test_the_lips_move_apart_and_join_where_the_shares_say() -> None:
    frame, before = wavy_frame(8, (2, 2)), wavy_frame(8, (2, 2))
    repose_of(lips=(-0.08, 0.08)).apply(frame)
    x = int(CENTRE[0])
    above, below = np.s_[100:107, x], np.s_[114:120, x]
    np.testing.assert_allclose(frame.y[above], before.y[108:115, x], atol=1)
    np.testing.assert_allclose(frame.y[below], before.y[106:112, x], atol=1)
    np.testing.assert_array_equal(frame.y[:85], before.y[:85])


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
def test_the_inside_lies_over_the_lips_in_its_colour(bit_depth: int, step: tuple[int, int]) -> None:
    frame = wavy_frame(bit_depth, step)
    repose_of(colour=(200, 40, 60, 255)).apply(frame)
    np.testing.assert_allclose(frame.rgb()[110, 160], (200, 40, 60), atol=3)
    untouched = wavy_frame(bit_depth, step)
    np.testing.assert_array_equal(frame.y[:80], untouched.y[:80])


@pytest.mark.parametrize("corner", [(0.0, 100.0), (318.0, 60.0), (150.0, 1.0), (150.0, 239.0), (2.0, 2.0)])
@pytest.mark.parametrize(("bit_depth", "step"), [(8, (2, 2)), (10, (2, 1))])
def test_a_face_partly_outside_the_picture_is_cut_off(
    corner: tuple[float, float], bit_depth: int, step: tuple[int, int]
) -> None:
    frame, wider = wavy_frame(bit_depth, step), wavy_frame(bit_depth, step, (200, 200), (WIDTH + 400, HEIGHT + 400))
    edit = repose_of((0.02, 0.03), colour=(30, 200, 60, 255))
    replace(edit, to_face=to_face(centre=corner)).apply(frame)
    replace(edit, to_face=to_face(centre=(corner[0] + 200, corner[1] + 200))).apply(wider)
    for part, whole in zip(frame.planes, wider.planes, strict=True):
        top, left = 200 * part.shape[0] // HEIGHT, 200 * part.shape[1] // WIDTH
        seen = whole[top : top + part.shape[0], left : left + part.shape[1]]
        inner = np.s_[8:-8, 8:-8]  # edge pixels go on outside the picture
        assert np.abs(part[inner].astype(int) - seen[inner]).max() <= 1 << (bit_depth - 8)


@pytest.mark.parametrize("centre", [(-900.0, 10.0), (900.0, 10.0), (10.0, 4000.0)])
def test_a_face_wholly_outside_the_picture_changes_nothing(centre: tuple[float, float]) -> None:
    frame = wavy_frame(8, (2, 2))
    replace(repose_of((0.1, 0.1)), to_face=to_face(centre=centre)).apply(frame)
    assert same_bits(frame, wavy_frame(8, (2, 2)))


def test_sampling_keeps_the_grain() -> None:
    frame = wavy_frame(8, (2, 2))
    noise = np.random.default_rng(1).normal(0, 6, frame.y.shape)
    frame.y[...] = np.clip(frame.y + noise, 0, 255).astype(np.uint8)
    before = frame.y[95:125, 145:175].astype(float).std()
    repose_of((0.0737, 0.0551)).apply(frame)
    assert frame.y[95:125, 145:175].astype(float).std() > 0.9 * before


@pytest.mark.parametrize("stretch", [0.15, -0.15])
def test_stretched_and_pressed_skin_stays_as_sharp(stretch: float) -> None:
    frame = wavy_frame(8, (2, 2))
    noise = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 1, frame.y.shape), (0, 0), 1.0)
    frame.y[...] = (128 + 20 * noise / noise.std()).clip(0, 255)
    before, repose = frame.y.copy(), repose_of()
    x = np.clip(repose.area.x, -0.35, 0.35)
    repose.around[..., 0] = -stretch * x * fading(repose.area, 0.3)
    repose.lips[..., 3] = 0
    repose.apply(frame)
    middle = np.s_[90:130, 130:190]
    kept = cv2.Laplacian(frame.y, cv2.CV_64F)[middle].var() / cv2.Laplacian(before, cv2.CV_64F)[middle].var()
    assert 0.85 < kept < 1.15


def test_a_face_that_fills_a_4k_picture_costs_a_few_copies_of_it() -> None:
    small, large = wavy_frame(8, (2, 2)), wavy_frame(8, (2, 2), size=(3840, 2160))
    edit, close_up = repose_of((0.05, 0.02)), repose_of((0.05, 0.02), unit=900.0)
    close_up = replace(close_up, to_face=to_face(unit=900.0, centre=(1900.0, 900.0)))
    seconds = []
    for frame, one in ((small, edit), (large, close_up)):
        one.apply(frame)
        start = time.process_time()
        one.apply(frame)
        seconds.append(time.process_time() - start)
    pixels = (900 / UNIT) ** 2
    assert seconds[1] < 3 * pixels * max(seconds[0], 0.001)
