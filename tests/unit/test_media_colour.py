"""Y'CbCr and RGB, there and back."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from services.media import Frame, Matrix, Range, rgb_to_yuv, yuv_to_rgb
from services.media.colour import ColourTags, matrix_of, range_of
from services.media.timing import tidy

DEPTHS = [8, 10]


def all_colours() -> NDArray[np.uint8]:
    """(33, 33 * 33, 3) RGB: a grid through the whole cube."""
    steps = np.linspace(0, 255, 33).round().astype(np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(33, -1, 3)


@pytest.mark.parametrize("matrix", list(Matrix))
@pytest.mark.parametrize("range_", list(Range))
@pytest.mark.parametrize("depth", DEPTHS)
def test_black_white_and_grey_have_the_standard_codes(matrix: Matrix, range_: Range, depth: int) -> None:
    rgb = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    black, white = rgb_to_yuv(rgb, matrix, range_, depth)[0]
    steps = 1 << depth - 8
    middle, limits = 128 * steps, (0, 256 * steps - 1) if range_ is Range.FULL else (16 * steps, 235 * steps)
    assert [black.tolist(), white.tolist()] == [[limits[0], middle, middle], [limits[1], middle, middle]]


@pytest.mark.parametrize("matrix", list(Matrix))
@pytest.mark.parametrize("range_", list(Range))
@pytest.mark.parametrize("depth", DEPTHS)
def test_there_and_back(matrix: Matrix, range_: Range, depth: int) -> None:
    rgb = all_colours()
    yuv = rgb_to_yuv(rgb, matrix, range_, depth)
    back = yuv_to_rgb(yuv, matrix, range_, depth)
    # 8-bit codes are coarser than RGB, so RGB may move by two; their own codes do not move by more than one.
    assert np.abs(back.astype(int) - rgb).max() <= (1 if depth == 10 else 2)
    inside = ((back > 0) & (back < 255)).all(axis=-1)
    again = rgb_to_yuv(back, matrix, range_, depth)
    assert np.abs(again.astype(int) - yuv)[inside].max() <= (1 if depth == 8 else 4)


@pytest.mark.parametrize(("matrix", "name"), [(Matrix.BT601, "itu601"), (Matrix.BT709, "itu709")])
@pytest.mark.parametrize("range_", list(Range))
def test_colours_are_those_of_ffmpeg(matrix: Matrix, name: str, range_: Range) -> None:
    rgb = all_colours()
    theirs = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv444p",
        dst_colorspace=name,
        src_color_range=2,
        dst_color_range=2 if range_ is Range.FULL else 1,
        interpolation="ACCURATE_RND",
    )
    assert np.abs(theirs.to_ndarray().transpose(1, 2, 0).astype(int) - rgb_to_yuv(rgb, matrix, range_, 8)).max() <= 2


@pytest.mark.parametrize("step", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_region_is_the_same_part_of_the_whole(step: tuple[int, int], depth: int) -> None:
    random = np.random.default_rng(1)
    kind = np.uint16 if depth == 10 else np.uint8
    y, u, v = (
        random.integers(0, 1 << depth, shape, kind) for shape in ((48, 64), *[(48 // step[1], 64 // step[0])] * 2)
    )
    frame = Frame(0, y, u, v, depth, Matrix.BT709, Range.LIMITED)
    assert frame.chroma_step == step
    whole = frame.rgb()
    assert whole.shape == (48, 64, 3)
    for left, top, right, bottom in ((0, 0, 64, 48), (7, 5, 31, 22), (63, 47, 64, 48), (1, 0, 64, 3), (10, 12, 11, 13)):
        region = frame.rgb_region(left, top, right, bottom)
        assert region.dtype == np.uint8
        assert np.array_equal(region, whole[top:bottom, left:right])
    with pytest.raises(ValueError, match="not inside"):
        frame.rgb_region(0, 0, 65, 10)


def smooth_frame(step: tuple[int, int], depth: int) -> Frame:
    """Slow waves in every plane, 96 x 64: means and interpolation hardly depend on where samples lie."""
    planes: list[NDArray[np.float64]] = []
    for across, down in ((1, 1), step, step):
        x, y = np.meshgrid((np.arange(96 // across) + 0.5) * across, (np.arange(64 // down) + 0.5) * down)
        planes.append((128 + 20 * np.sin(x / 15) * np.cos(y / 12 + len(planes))) * (1 << (depth - 8)))
    y, u, v = (np.rint(plane).astype(np.uint16 if depth == 10 else np.uint8) for plane in planes)
    return Frame(0, y, u, v, depth, Matrix.BT709, Range.LIMITED)


@pytest.mark.parametrize("step", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_shrunk_region_is_that_of_the_whole_shrunk(step: tuple[int, int], depth: int) -> None:
    frame = smooth_frame(step, depth)
    regions = [((0, 0, 96, 64), 3), ((11, 7, 74, 63), 3), ((40, 20, 52, 30), 3)]
    # Once halved, twice halved, halved and a bit more.
    regions += [((2, 4, 82, 44), 2), ((2, 4, 82, 44), 4), ((0, 0, 96, 64), 5)]
    for (left, top, right, bottom), share in regions:
        size = max((right - left) // share, 1), max((bottom - top) // share, 1)
        wanted = cv2.resize(frame.rgb_region(left, top, right, bottom), size, interpolation=cv2.INTER_AREA)
        for halving, most in ((False, 1.0), (True, 1.2)):
            shrunk = frame.rgb_shrunk(left, top, right, bottom, size, halving=halving)
            assert shrunk.shape == (size[1], size[0], 3)
            apart = np.abs(shrunk.astype(int) - wanted)
            assert apart.max() <= 6
            assert apart.mean() <= most
    with pytest.raises(ValueError, match="not inside"):
        frame.rgb_shrunk(0, 0, 97, 10, (4, 4))


@pytest.mark.parametrize("step", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("degrees", [0, 40, 90])
def test_a_turned_part_shows_what_lies_where_its_affine_says(step: tuple[int, int], depth: int, degrees: int) -> None:
    frame, angle = smooth_frame(step, depth), np.radians(degrees)
    linear = 1.4 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    affine = np.column_stack([linear, np.array([48, 32]) - linear @ (12, 8)])
    warped, whole = frame.rgb_warped(affine, (24, 16)), frame.rgb().astype(np.float32)
    x, y = np.meshgrid(np.arange(24) + 0.5, np.arange(16) + 0.5)
    places = (np.stack([x, y], axis=2) @ linear.T + affine[:, 2] - 0.5).astype(np.float32)
    wanted = cv2.remap(whole, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    assert warped.dtype == np.uint8
    inner = (places.min(axis=2) > 1) & (places[..., 0] < 94) & (places[..., 1] < 62)
    apart = np.abs(warped - wanted)[inner]
    assert apart.max() <= 4
    assert apart.mean() <= 1


def test_a_file_without_tags_gets_the_usual_matrix() -> None:
    assert matrix_of(ColourTags(), 1280, 720) is Matrix.BT709
    assert matrix_of(ColourTags(), 720, 1280) is Matrix.BT709
    assert matrix_of(ColourTags(), 720, 576) is Matrix.BT601
    assert matrix_of(ColourTags(matrix=9), 720, 576) is Matrix.BT2020
    assert (range_of(ColourTags()), range_of(ColourTags(range=2))) == (Range.LIMITED, Range.FULL)


def test_old_hd_is_nearest_to_bt709() -> None:
    assert matrix_of(ColourTags(matrix=7), 320, 240) is Matrix.BT709


def test_a_measured_rate_becomes_the_one_that_was_meant() -> None:
    assert tidy(Fraction(30000, 1001)) == Fraction(30000, 1001)
    assert tidy(Fraction(53910000, 1798123)) == Fraction(30000, 1001)
    assert tidy(Fraction(183700, 10007)).denominator <= 100
