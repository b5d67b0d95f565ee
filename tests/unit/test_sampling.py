"""Sampling only what is needed gives the same samples as sampling everything, in every kind of frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.media import Frame
from services.render.edits.sampling import Displacement, Mask, Rectangle, Sampler, frame_steps, widened
from tests.unit.test_reposing import HEIGHT, LAYOUTS, repose_of, same_bits, to_face, wavy_frame

AREA = Rectangle(60, 20, 260, 200)


def swirl() -> Displacement:
    """Some pixels in the middle of the area, nothing at its edges."""
    x, y = np.meshgrid(np.linspace(-1, 1, AREA.size[0]), np.linspace(-1, 1, AREA.size[1]))
    near = np.clip(0.8 - np.hypot(x, y), 0, None)
    return Displacement((-9 * y * near).astype(np.float32), (9 * x * near).astype(np.float32))


def grainy_frame(bit_depth: int, step: tuple[int, int]) -> Frame:
    frame = wavy_frame(bit_depth, step)
    frame.y[...] += np.random.default_rng(5).integers(0, 30, frame.y.shape).astype(frame.y.dtype)
    return frame


def ring_and_corner() -> Mask:
    """A ring, which has a gap in each row, and one pixel far from it."""
    x, y = np.meshgrid(np.arange(AREA.size[0]) - 100, np.arange(AREA.size[1]) - 90)
    distance = np.hypot(x, y)
    mask = ((distance > 55) & (distance < 65)).astype(np.uint8)
    mask[-1, -1] = 1
    return mask


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
def test_needed_samples_are_those_of_the_whole(bit_depth: int, step: tuple[int, int]) -> None:
    frame, mask = grainy_frame(bit_depth, step), ring_and_corner()
    sampler, everything = Sampler(frame), np.ones_like(mask)
    whole = sampler.sampled(AREA, swirl(), everything)
    some = sampler.sampled(AREA, swirl(), widened(mask))
    for one, other, plane_step in zip(some, whole, frame_steps(frame), strict=True):
        needed = mask[:: plane_step[1], :: plane_step[0]] > 0
        np.testing.assert_array_equal(one[needed], other[needed])
    assert not np.array_equal(some[0], whole[0]), "what nobody needs was sampled, too"


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
def test_what_moves_less_than_half_a_step_is_the_frames_own(bit_depth: int, step: tuple[int, int]) -> None:
    frame = grainy_frame(bit_depth, step)
    still = Displacement(*(np.full(AREA.size[::-1], 0.99 / 64 / 2**0.5, np.float32) for _ in range(2)))
    assert not still.moving().any()
    sampled = Sampler(frame).sampled(AREA, still, np.ones(AREA.size[::-1], np.uint8))
    for plane, own in zip(sampled, AREA.of_planes(frame), strict=True):
        np.testing.assert_array_equal(plane, own)


@pytest.mark.parametrize(("centre", "rows", "edge"), [(-4.0, np.s_[2:8], 0), (HEIGHT + 4.0, np.s_[-8:-2], -1)])
def test_a_mouth_of_which_the_picture_shows_one_lip_has_that_lip(centre: float, rows: slice, edge: int) -> None:
    frame, before = wavy_frame(8, (2, 2)), wavy_frame(8, (2, 2))
    replace(repose_of(lips=(-0.08, 0.08)), to_face=to_face(centre=(160.0, centre))).apply(frame)
    # The lip went away from the edge by 8 pixels: its rows show what lies beyond the edge.
    np.testing.assert_array_equal(frame.y[rows, 160], np.repeat(before.y[edge, 160], 6))
    assert not same_bits(frame, before)
