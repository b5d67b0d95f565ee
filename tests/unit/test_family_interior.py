"""Mouth interiors by what the references show: colours, the gates, what is copied where, and how openings fade."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.faces import FaceIntroduction
from services.render.edits.grain import Grain
from services.render.families.default.interior import MouthInterior, asked_openings
from services.render.families.default.interior_colours import edge_blur, eye_white, flatness, interior_colours
from services.render.families.default.interior_reference import luminance, read_references, saturation
from services.render.families.default.teeth_seen import cut_teeth, shows_teeth
from services.render.families.default.teeth_told import enamel_seen, is_smile, lower_share
from tests.drawn_mouth import (
    CROP,
    GAP,
    LIP,
    LOWER_TEETH,
    SIDE,
    UPPER_TEETH,
    WHITE,
    interior_of,
    introduced,
    introduction,
    landmarks,
    own_teeth,
    picture,
    recoloured,
    reference,
    with_eyes,
)


def upper_at(interior: MouthInterior, opening: float) -> NDArray[np.uint8]:
    """(rows, 2 rows, 4) of the upper teeth as lips so far apart show them."""
    shares = interior.shares(np.array([opening], np.float32))[0]
    assert shares.sum() == pytest.approx(1)
    return np.rint(np.tensordot(shares, interior.upper_teeth, 1)).astype(np.uint8)


def test_a_closed_mouth_gets_drawn_teeth_in_the_light_of_its_cheeks() -> None:
    bright = interior_of(introduction(0.0, ()))
    assert bright.upper_teeth.shape == (1, 128, 256, 4)
    assert bright.lower_teeth.shape == (128, 256, 4)
    assert bright.upper_teeth.dtype == np.uint8
    assert bright.tones.shape == (3, 3)
    dark = interior_of(recoloured(introduction(0.0, ()), (0.25, 0.25, 0.25)))
    assert dark.tones[0].sum() < 0.45 * bright.tones[0].sum()
    assert dark.upper_teeth[0, 56, 122, 0] < 0.6 * bright.upper_teeth[0, 56, 122, 0]


def test_a_close_up_gets_finer_atlases() -> None:
    close_up = interior_of(introduction(0.0, (), eye_distance=400))
    assert close_up.upper_teeth.shape == (1, 256, 512, 4)
    assert close_up.lower_teeth.shape == (256, 512, 4)


def test_drawn_teeth_take_less_of_a_strong_colour_than_skin_does() -> None:
    orange = introduction(0.0, ())
    orange.references.crops[...] = (230, 140, 80)
    red, green, blue = upper_at(interior_of(orange), 0.1)[56, 122, :3].astype(float)
    assert red > green > blue
    assert red / blue < 0.8 * 230 / 80


def test_teeth_in_yellow_light_are_yellow() -> None:
    def blue_by_red(skin: tuple[int, int, int]) -> float:
        lit = introduction(0.0, ())
        lit.references.crops[...] = skin
        red, _, blue = upper_at(interior_of(lit), 0.1)[56, 122, :3].astype(float)
        return float(blue / red)

    # Skin and lower teeth of a talker in lamp light (GRID, swiz3n): blue is .38 of red on those teeth.
    assert blue_by_red((150, 115, 54)) < 0.55
    assert blue_by_red((199, 150, 128)) > 0.8, "daylight"


def test_the_inside_is_red_in_colour_and_grey_in_black_and_white() -> None:
    colour = interior_of(introduction(0.0, ()))
    assert saturation(colour.tones[0]) > 0.5
    assert colour.tones[2, 2] == 1
    image = picture(landmarks(0), ())
    grey = np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=2).astype(np.uint8)
    drained = interior_of(introduced([grey], [landmarks(0)]))
    assert saturation(drained.tones[0]) < 0.05
    assert drained.tones[2, 2] < 0.05


def test_dark_skin_has_teeth_as_bright_as_its_eyes_are_white() -> None:
    brown = (np.array(picture(landmarks(0), ())) * 0.45).astype(np.uint8)
    seen = eye_white(reference(with_eyes(brown.copy(), WHITE)))
    assert seen is not None
    np.testing.assert_allclose(seen * 255, WHITE, atol=3)
    with_white, without = (interior_colours(reference(image)) for image in (with_eyes(brown.copy(), WHITE), brown))
    assert luminance(with_white.teeth) > 1.2 * luminance(without.teeth)
    assert eye_white(reference(with_eyes(brown.copy(), (180, 90, 70)))) is None, "that is a lid"
    assert eye_white(reference(brown)) is None


def test_edge_blur_measures_the_footage() -> None:
    sharp = picture(landmarks(0), ())
    for deviation in (1.0, 2.0, 4.0):
        soft = np.asarray(cv2.GaussianBlur(sharp, (0, 0), deviation), np.uint8)
        assert edge_blur(reference(soft)) * SIDE / CROP.extent == pytest.approx(deviation, rel=0.35)


def test_the_persons_own_teeth_are_taken_when_they_show() -> None:
    shown = introduction(0.14, (UPPER_TEETH, GAP, LOWER_TEETH))
    opened = read_references(shown, CROP)[1]
    assert opened.opening == pytest.approx(0.14, abs=0.005)
    assert shows_teeth(opened)
    seen = cut_teeth(opened, 128)
    assert seen.lower is not None
    np.testing.assert_allclose(seen.upper[67, 128, :3] * 255, UPPER_TEETH, atol=25)
    assert seen.upper[60, 128, 3] > 0.95
    assert seen.upper[100, 128, 3] < 0.05, "nothing below the dark gap belongs to the skull"
    # In the picture they lie 0.09 below the seam; they move back by three quarters of the lower lip's drop, 0.12.
    np.testing.assert_allclose(seen.lower[68, 128, :3] * 255, LOWER_TEETH, atol=40)
    np.testing.assert_allclose(seen.colour * 255, UPPER_TEETH, atol=25)
    assert upper_at(interior_of(shown), 0.14)[67, 128, 0] == round(float(seen.upper[67, 128, 0]) * 255)


def test_without_a_dark_gap_all_that_shows_is_upper_teeth() -> None:
    shown = introduction(0.10, (UPPER_TEETH,))
    assert cut_teeth(read_references(shown, CROP)[1], 128).lower is None
    assert interior_of(shown).lower_teeth[78, 128, 3] > 240, "the lower ones are drawn"


def test_a_tongue_below_the_gap_is_no_row_of_teeth() -> None:
    shown = introduction(0.15, (UPPER_TEETH, GAP, (150, 70, 70)))
    assert cut_teeth(read_references(shown, CROP)[1], 128).lower is None


@pytest.mark.parametrize("light", [(1.0, 1.0, 1.0), (0.9, 0.65, 0.4), (0.6, 0.75, 1.1), (0.3, 0.3, 0.3)])
def test_own_teeth_are_found_in_every_light(light: tuple[float, float, float]) -> None:
    shown = recoloured(introduction(0.14, (UPPER_TEETH, GAP, LOWER_TEETH)), light)
    assert shows_teeth(read_references(shown, CROP)[1])


@pytest.mark.parametrize(
    "refused",
    [
        introduction(0.03, (UPPER_TEETH,)),
        introduction(0.14, (LIP,)),
        introduction(0.14, (GAP,)),
        introduction(0.14, (UPPER_TEETH, GAP, LOWER_TEETH), eye_distance=40),
    ],
    ids=["hardly open", "landmarks on the lips", "no teeth", "tiny face"],
)
def test_the_gate_refuses_what_shows_no_teeth(refused: FaceIntroduction) -> None:
    interior = interior_of(refused)
    assert len(interior.openings) == 1
    np.testing.assert_array_equal(upper_at(interior, 0.1), upper_at(interior_of(refused), 0.02))
    closed = introduced([refused.references.crops[0]], [refused.references.landmarks[0]], refused.eye_distance)
    shape, drawn = (upper_at(interior_of(shown), 0.1)[..., 3] for shown in (refused, closed))
    np.testing.assert_array_equal(shape, drawn)


def test_a_smile_is_copied_even_from_a_small_face() -> None:
    smile = introduction(0.14, (UPPER_TEETH,), eye_distance=52)
    assert is_smile(read_references(smile, CROP)[1])
    shown, larger = interior_of(smile), interior_of(introduction(0.14, (UPPER_TEETH,)))
    np.testing.assert_array_equal(upper_at(shown, 0.14), upper_at(larger, 0.14))


def test_who_shows_the_lower_teeth_only_gets_those() -> None:
    low, high = (introduction(0.14, shown, eye_distance=60) for shown in ((GAP, UPPER_TEETH), (UPPER_TEETH, GAP)))
    assert not is_smile(read_references(low, CROP)[1])
    assert lower_share(read_references(low, CROP)) > 0.9
    assert lower_share(read_references(high, CROP)) == 0
    assert lower_share(read_references(introduction(0.14, (GAP,)), CROP)) == 0, "nothing is told"
    (upper, lower), (usual_upper, usual_lower) = (
        (interior.upper_teeth[0, :, 128, 3], interior.lower_teeth[:, 128, 3])
        for interior in (interior_of(shown) for shown in (low, introduction(0.0, ())))
    )
    assert np.flatnonzero(upper > 128).max() < np.flatnonzero(usual_upper > 128).max() - 3
    assert np.flatnonzero(lower > 128).min() < np.flatnonzero(usual_lower > 128).min() - 6


@pytest.mark.parametrize("teeth", [(235, 225, 150), (180, 172, 160)], ids=["yellow", "dull"])
def test_drawn_teeth_of_a_small_face_have_the_colour_that_its_own_show(teeth: tuple[int, int, int]) -> None:
    small = introduction(0.14, (teeth, GAP, teeth), eye_distance=40)
    seen = enamel_seen(read_references(small, CROP))
    assert seen is not None
    np.testing.assert_allclose(seen * 255, teeth, atol=12)
    drawn, other = (
        upper_at(interior_of(shown), 0.1)[70:74, 126:130, :3].astype(float).mean(axis=(0, 1))
        for shown in (small, introduction(0.14, (UPPER_TEETH, GAP, UPPER_TEETH), eye_distance=40))
    )
    assert drawn[2] / drawn[0] < other[2] / other[0], "its hue"
    assert drawn.sum() < other.sum(), "its brightness"


@pytest.mark.parametrize("inside", [(), (LIP,), (GAP,)], ids=["closed", "lips", "dark"])
def test_no_colour_of_teeth_is_taken_from_what_shows_none(inside: tuple[tuple[int, int, int], ...]) -> None:
    shown = introduction(0.14 if inside else 0.0, inside)
    assert enamel_seen(read_references(shown, CROP)) is None


def test_a_mouth_is_as_dark_as_the_hollows_of_its_face() -> None:
    def with_nostrils(level: int) -> FaceIntroduction:
        points = landmarks(0)
        points[[98, 97, 2, 326, 327], :2] = [(172, 168), (184, 172), (192, 172), (200, 172), (212, 168)]
        image = picture(points, ())
        cv2.rectangle(image, (176, 158), (208, 170), (level, level // 2, level // 2), cv2.FILLED)
        points[[468, 473], :2] = points[[98, 327], :2]
        return introduced([image], [points])

    hard, flat = (with_nostrils(level) for level in (4, 90))
    assert flatness(read_references(hard, CROP)[0]) < 0.2
    assert flatness(read_references(flat, CROP)[0]) > 0.7
    darker, lighter = (interior_of(shown).tones for shown in (hard, flat))
    assert darker[0].sum() < 0.7 * lighter[0].sum(), "the cavity"
    assert darker[1].sum() < 0.9 * lighter[1].sum(), "the tongue"
    assert darker[2, 0] > lighter[2, 0], "the lips' shadow"


def openings_of(pictures: list[NDArray[np.uint8]], openings: tuple[float, ...]) -> MouthInterior:
    return interior_of(introduced(pictures, [landmarks(opening) for opening in openings]))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_references_show_there_is_an_interior(seed: int) -> None:
    random = np.random.default_rng(seed)
    pictures, points = [], []
    for opening in (0.0, 0.05, 0.09, 0.3):
        level, spread = random.choice([0, 40, 255]), random.choice([0, 20, 200])
        noise = level + spread * random.standard_normal((SIDE, SIDE, 3))
        pictures.append(np.clip(noise, 0, 255).astype(np.uint8))
        pictures[-1][: random.integers(SIDE)] = picture(landmarks(opening), (UPPER_TEETH, GAP))[0, 0]
        points.append((landmarks(opening) + random.normal(0, 4, (478, 3))).astype(np.float32))
    for eye_distance in (40, 160, 900):
        interior = interior_of(introduced(pictures, points, eye_distance))
        assert np.isfinite(interior.tones).all()
        np.testing.assert_allclose(interior.shares(np.array([0.0, 0.07, 0.2], np.float32)).sum(axis=1), 1)


def test_a_hidden_mouth_is_not_copied() -> None:
    shown = introduction(0.14, (UPPER_TEETH, GAP, LOWER_TEETH))
    closed = interior_of(introduction(0.0, ()))
    shown.references.weight[1] = 0.2
    np.testing.assert_array_equal(upper_at(interior_of(shown), 0.1), closed.upper_teeth[0])
    shown.references.weight[:] = 0
    assert len(read_references(shown, CROP)) == 2


def test_frames_less_open_show_their_own_highlights() -> None:
    openings = (0.08, 0.14)
    interior = openings_of([own_teeth(0.08, 30), own_teeth(0.14, 0)], openings)
    assert interior.openings == pytest.approx(openings, abs=0.005)
    less, wide = (upper_at(interior, opening).astype(int) for opening in openings)
    np.testing.assert_array_equal(less[..., 3], wide[..., 3])
    column = int((-0.03 / (1.15 * 0.23) + 1) * 128)
    assert less[74, column, 1] > wide[74, column, 1] + 10


def test_a_frame_with_other_teeth_or_blurred_ones_is_left_out() -> None:
    wide = own_teeth(0.14, 0)
    moving = np.asarray(cv2.blur(own_teeth(0.08, 0), (31, 1)), np.uint8)
    assert len(openings_of([moving, wide], (0.08, 0.14)).openings) == 1
    bitten = picture(landmarks(0.08), (LIP,))
    assert len(openings_of([bitten, wide], (0.08, 0.14)).openings) == 1


def test_openings_fade_smoothly_and_monotonously() -> None:
    flat = np.stack([np.full((4, 8, 4), level, np.uint8) for level in (40, 200)])
    interior = MouthInterior((0.05, 0.15), flat, flat[0], np.zeros((3, 3), np.float32), Grain(0, 0))
    levels = np.array([int(upper_at(interior, opening)[0, 0, 0]) for opening in np.linspace(0, 0.2, 201)])
    assert levels[0] == 40
    assert levels[-1] == 200
    steps = np.diff(levels)
    assert (steps >= 0).all()
    assert steps.max() <= 3
    assert steps[[50, 149]].max() <= 1, "it starts and ends gently"


def test_asked_openings_are_those_of_shut_and_open_lips() -> None:
    rows = np.zeros((4, 8), np.float32)
    rows[1:, 0] = 0.5
    rows[2, 1] = 1
    rows[3, 6] = 1
    np.testing.assert_allclose(asked_openings(rows), [0, 0.1075, 0, 0.0215], atol=1e-6)
