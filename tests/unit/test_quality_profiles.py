"""The judge's profiles of open mouths, on pictures whose colours are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.quality.mouth_profiles import HEIGHTS, LOWER, UPPER, Insides, figures_of, inside_profile, markdown_of
from tests.quality.pixel_measures import Image
from tests.quality.slits import slit_depth

EYES = 100
SKIN = (200, 160, 140)
TEETH, HOLLOW = (160, 150, 120), (60, 20, 20)


def face(opening: float) -> NDArray[np.float32]:
    """Landmarks of a face whose eyes are 100 pixels apart, the mouth open by `opening` of that, from y = 200 down."""
    points = np.full((478, 3), 60, np.float32)
    points[[33, 263], :2] = [(50, 100), (50 + EYES, 100)]
    across = np.linspace(75, 125, len(UPPER))
    points[list(UPPER), :2] = np.column_stack([across, np.full(len(UPPER), 200)])
    points[list(LOWER), :2] = np.column_stack([across, np.full(len(LOWER), 200 + opening * EYES)])
    return points


def picture(opening: float, above: tuple[int, int, int], below: tuple[int, int, int]) -> Image:
    image = np.full((260, 200, 3), SKIN, np.uint8)
    rows = round(opening * EYES)
    image[200 : 200 + rows // 2] = above
    image[200 + rows // 2 : 200 + rows] = below
    return image


def insides(opening: float, above: tuple[int, int, int], below: tuple[int, int, int], frames: int = 6) -> Insides:
    found = Insides()
    for _ in range(frames):
        found.add(picture(opening, above, below), face(opening))
    return found


def test_a_profile_goes_from_the_upper_lip_to_the_lower_one_and_is_told_by_the_cheeks() -> None:
    profile = inside_profile(picture(0.12, TEETH, HOLLOW), face(0.12))
    assert profile.shape == (2, HEIGHTS, len(UPPER))
    cheek = 0.30 * 200 + 0.59 * 160 + 0.11 * 140
    np.testing.assert_allclose(profile[0, 3], (0.30 * 160 + 0.59 * 150 + 0.11 * 120) / cheek, atol=0.01)
    np.testing.assert_allclose(profile[0, 9], (0.30 * 60 + 0.59 * 20 + 0.11 * 20) / cheek, atol=0.01)
    np.testing.assert_allclose(profile[1, [3, 9]], 40 / cheek, atol=0.01)


@pytest.mark.parametrize(("opening", "kinds"), [(0.03, (0, 0)), (0.06, (6, 0)), (0.12, (0, 6))])
def test_shut_mouths_say_nothing_and_narrow_ones_are_kept_apart(opening: float, kinds: tuple[int, int]) -> None:
    found = insides(opening, TEETH, HOLLOW)
    assert (len(found.narrow), len(found.wide)) == kinds
    found.add(picture(opening, TEETH, HOLLOW), np.full((478, 3), np.nan, np.float32))
    assert (len(found.narrow), len(found.wide)) == kinds


def test_a_slit_is_as_deep_as_it_is_darker_than_the_lips() -> None:
    points = face(0.04)
    for outer, inner, away in ((39, 81, -8), (37, 82, -8), (0, 13, -8), (267, 312, -8), (269, 311, -8)):
        points[outer, :2] = points[inner, :2] + (0, away)
    for outer, inner, away in ((181, 178, 8), (84, 87, 8), (17, 14, 8), (314, 317, 8), (405, 402, 8)):
        points[outer, :2] = points[inner, :2] + (0, away)
    cheek, hollow = (np.array([0.30, 0.59, 0.11]) @ colour for colour in (SKIN, HOLLOW))
    assert slit_depth(picture(0.04, HOLLOW, HOLLOW), points) == pytest.approx((cheek - hollow) / cheek, abs=0.02)
    assert slit_depth(picture(0.04, SKIN, SKIN), points) == pytest.approx(0, abs=0.01)
    assert slit_depth(picture(0.12, HOLLOW, HOLLOW), face(0.12)) is None, "no slit"
    assert slit_depth(picture(0.04, HOLLOW, HOLLOW), np.full((478, 3), np.nan, np.float32)) is None


def test_figures_tell_how_far_two_kinds_of_mouths_are_apart() -> None:
    real = insides(0.12, TEETH, TEETH)
    (same,), (darker,) = figures_of("a", real, real), figures_of("a", real, insides(0.12, TEETH, HOLLOW))
    assert same.distance == (0, 0)
    assert darker.distance[0] > 0.2
    assert darker.darkest[0] > 2 * darker.darkest[1]
    assert darker.contrast[0] < 0.05 < darker.contrast[1]
    assert figures_of("a", real, insides(0.06, TEETH, TEETH)) == []
    assert "| a | wide | 6 / 6 |" in markdown_of([same, darker])
