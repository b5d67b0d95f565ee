"""Grain that paint borrows from the skin beside it: as strong, of the same frame, less of it in the dark."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.render.edits.grain import Grain, smooth_place

UNIT = 150.0
TO_FACE = np.array([[1 / UNIT, 0, -1.0], [0, 1 / UNIT, -1.0]])
CHEEK = Grain(-0.34, -0.10)


def skin(deviation: float, seed: int = 0) -> NDArray[np.uint8]:
    """A slope of light with noise, 300 x 300."""
    slope = np.linspace(120, 180, 300)[None] * np.ones((300, 1))
    noise = np.random.default_rng(seed).normal(0, deviation, slope.shape)
    return np.clip(np.rint(slope + noise), 0, 255).astype(np.uint8)


def paint(level: float) -> NDArray[np.float32]:
    return np.full((60, 120), level, np.float32)


@pytest.mark.parametrize("deviation", [2.0, 5.0])
def test_paint_as_bright_as_the_skin_is_as_grainy(deviation: float) -> None:
    grain = CHEEK.for_paint(skin(deviation), TO_FACE, paint(150))
    assert grain.shape == (60, 120)
    assert grain.std() == pytest.approx(deviation, rel=0.2)
    assert abs(float(grain.mean())) < 0.3


def test_clean_footage_gives_no_grain() -> None:
    assert CHEEK.for_paint(skin(0), TO_FACE, paint(150)).std() < 0.4


def test_dark_paint_has_less_grain() -> None:
    bright, dark = (CHEEK.for_paint(skin(4), TO_FACE, paint(level)).std() for level in (150, 20))
    assert 0.3 * bright < dark < 0.6 * bright


def test_paper_or_wrinkles_do_not_come_through() -> None:
    assert CHEEK.for_paint(skin(15), TO_FACE, paint(150)).std() < 7


def test_another_frame_has_other_grain_and_a_still_one_the_same() -> None:
    first, again, next_one = (CHEEK.for_paint(skin(4, seed), TO_FACE, paint(150)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert abs(float(np.corrcoef(first.ravel(), next_one.ravel())[0, 1])) < 0.2


def test_a_hair_is_no_grain() -> None:
    hairy = skin(2)
    hairy[:, 99] = 20
    assert np.abs(CHEEK.for_paint(hairy, TO_FACE, paint(150))).max() < 12


def test_a_face_at_the_edge_of_the_frame_goes_without() -> None:
    beside = TO_FACE + np.array([[0, 0, -1.0], [0, 0, 0]])
    assert not Grain(-2.5, 0).for_paint(skin(4), beside, paint(150)).any()


def test_ten_bits_are_four_times_eight() -> None:
    narrow = CHEEK.for_paint(skin(4), TO_FACE, paint(150))
    wide = CHEEK.for_paint(skin(4).astype(np.uint16) * 4, TO_FACE, paint(600))
    np.testing.assert_allclose(wide, 4 * narrow, atol=0.01)


def test_the_smoothest_place_is_chosen() -> None:
    picture = np.asarray(skin(1) / 255, np.float32)
    picture[:, :150] += np.random.default_rng(3).normal(0, 0.1, (300, 150))
    to_picture = np.array([[UNIT, 0, UNIT], [0, UNIT, UNIT]])
    assert smooth_place(picture, to_picture, ((-0.34, -0.1), (0.34, -0.1))) == Grain(0.34, -0.1)
