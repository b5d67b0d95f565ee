"""Drawn and retrieved mouth interiors: shapes, ranges, symmetry, the gate, and what is copied where."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.gateway.families.default import CROP
from services.gateway.families.interior import mouth_interior, read_references, retrieve_teeth, shows_teeth
from services.gateway.families.teeth import draw_teeth
from services.preprocess.faces import FaceBatch, FaceIntroduction

SIDE = 256
SKIN = (205, 160, 135)
LIP = (170, 80, 80)
UPPER_TEETH = (230, 225, 215)
LOWER_TEETH = (200, 195, 185)
GAP = (40, 15, 15)
UPPER_LIP = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
LOWER_LIP = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
UPPER_RIM = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]
LOWER_RIM = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]


def landmarks(opening: float) -> NDArray[np.float32]:
    """(478, 3) crop pixels of a mouth 0.46 face units wide that is open by `opening`."""
    across = np.linspace(-1, 1, 11)
    arch = 1 - across**2
    points = np.zeros((478, 2))
    for indices, width, y in (
        (UPPER_RIM, 0.23, -0.05 * arch - 0.15 * opening * arch),
        (UPPER_LIP, 0.20, -0.15 * opening * arch),
        (LOWER_LIP, 0.20, 0.85 * opening * arch),
        (LOWER_RIM, 0.23, 0.06 * arch + 0.85 * opening * arch),
    ):
        points[indices] = np.column_stack([across * width, y])
    scale = SIDE / CROP.extent
    pixels = (points - (CROP.left, CROP.top)) * scale
    return np.column_stack([pixels, np.zeros(478)]).astype(np.float32)


def picture(points: NDArray[np.float32], inside: tuple[tuple[int, int, int], ...]) -> NDArray[np.uint8]:
    """A face-coloured crop with lips, and between them bands of colour from the upper lip to the lower one."""
    image = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    fill(image, points, UPPER_RIM, LOWER_RIM, LIP)
    upper, lower = points[UPPER_LIP, :2], points[LOWER_LIP, :2]
    for band, colour in enumerate(inside):
        share, end = band / len(inside), (band + 1) / len(inside)
        outline = np.concatenate([upper + (lower - upper) * share, (upper + (lower - upper) * end)[::-1]])
        cv2.fillPoly(image, [np.rint(outline).astype(np.int32)], colour)
    return image


def fill(
    image: NDArray[np.uint8], points: NDArray[np.float32], top: list[int], bottom: list[int], colour: tuple[int, ...]
) -> None:
    outline = np.concatenate([points[top, :2], points[bottom, :2][::-1]])
    cv2.fillPoly(image, [np.rint(outline).astype(np.int32)], colour)


def introduction(
    opening: float, inside: tuple[tuple[int, int, int], ...], *, eye_distance: float = 160
) -> FaceIntroduction:
    """A closed and an open reference of one person."""
    rest, opened = landmarks(0), landmarks(opening)
    references = FaceBatch(
        first_frame=-1,
        track=0,
        present=np.ones(2, np.bool_),
        crops=np.stack([picture(rest, ()), picture(opened, inside)]),
        landmarks=np.stack([rest, opened]),
        rest=np.stack([rest, rest]),
        to_crop=np.zeros((2, 2, 3), np.float32),
        weight=np.ones(2, np.float32),
        mels=np.zeros((2, 80, 0), np.float32),
    )
    return FaceIntroduction(track=0, eye_distance=eye_distance, references=references)


def test_drawn_atlases_are_symmetric_and_in_range() -> None:
    white, pink = np.array([0.9, 0.88, 0.8], np.float32), np.array([0.6, 0.3, 0.3], np.float32)
    for atlas in draw_teeth(0.24, white, pink, 1.0):
        assert atlas.shape == (128, 256, 4)
        assert atlas.min() >= 0
        assert atlas.max() <= 1
        np.testing.assert_allclose(atlas, atlas[:, ::-1], atol=1e-4)


def test_drawn_teeth_stand_where_the_renderer_looks_for_them() -> None:
    white, pink = np.array([0.9, 0.88, 0.8], np.float32), np.array([0.6, 0.3, 0.3], np.float32)
    upper, lower = draw_teeth(0.24, white, pink, 1.0)
    middle = 122
    # 0.22 face units are 64 rows: the upper incisors end 0.018 below the seam, the lower ones begin at 0.030.
    assert upper[64 - 8, middle, 3] > 0.95
    assert upper[64 + 9, middle, 3] < 0.05
    assert lower[64 + 14, middle, 3] > 0.95
    assert lower[64 + 4, middle, 3] < 0.05
    assert upper[64 - 8, middle, 0] > upper[10, middle, 0], "teeth are brighter than the gum"


def test_a_closed_mouth_gets_drawn_teeth_in_the_light_of_its_cheeks() -> None:
    bright = mouth_interior(introduction(0.0, ()), CROP)
    assert bright.upper_teeth.shape == bright.lower_teeth.shape == (128, 256, 4)
    assert bright.upper_teeth.dtype == np.uint8
    assert bright.tones.shape == (3, 3)
    assert bright.tones[2, 0] == 1
    dark_introduction = introduction(0.0, ())
    np.floor_divide(dark_introduction.references.crops, 3, out=dark_introduction.references.crops)
    dark = mouth_interior(dark_introduction, CROP)
    assert dark.tones[0].sum() < 0.5 * bright.tones[0].sum()
    assert dark.upper_teeth[56, 122, 0] < 0.5 * bright.upper_teeth[56, 122, 0]


def test_drawn_teeth_take_less_of_a_strong_colour_than_skin_does() -> None:
    orange = introduction(0.0, ())
    orange.references.crops[...] = (230, 140, 80)
    red, green, blue = mouth_interior(orange, CROP).upper_teeth[56, 122, :3].astype(float)
    assert red > green > blue
    assert red / blue < 0.75 * 230 / 80


def test_the_persons_own_teeth_are_taken_when_they_show() -> None:
    shown = introduction(0.14, (UPPER_TEETH, GAP, LOWER_TEETH))
    opened = read_references(shown, CROP)[1]
    assert opened.opening == pytest.approx(0.14, abs=0.005)
    assert shows_teeth(opened)
    upper, lower = retrieve_teeth(opened)
    assert lower is not None
    np.testing.assert_allclose(upper[60, 128, :3] * 255, UPPER_TEETH, atol=12)
    assert upper[60, 128, 3] > 0.95
    assert upper[100, 128, 3] < 0.05, "nothing below the dark gap belongs to the skull"
    np.testing.assert_allclose(lower[68, 128, :3] * 255, LOWER_TEETH, atol=12)
    assert mouth_interior(shown, CROP).tones[2, 0] == 0


def test_without_a_dark_gap_all_that_shows_is_upper_teeth() -> None:
    shown = introduction(0.10, (UPPER_TEETH,))
    _, lower = retrieve_teeth(read_references(shown, CROP)[1])
    assert lower is None
    interior = mouth_interior(shown, CROP)
    assert interior.tones[2, 0] == 0
    assert interior.lower_teeth[78, 128, 3] > 240, "the lower ones are drawn"


@pytest.mark.parametrize(
    "refused",
    [
        introduction(0.03, (UPPER_TEETH,)),
        introduction(0.14, (LIP,)),
        introduction(0.14, (GAP,)),
        introduction(0.14, (UPPER_TEETH, GAP, LOWER_TEETH), eye_distance=60),
    ],
    ids=["hardly open", "landmarks on the lips", "no teeth", "small face"],
)
def test_the_gate_refuses_what_shows_no_teeth(refused: FaceIntroduction) -> None:
    assert mouth_interior(refused, CROP).tones[2, 0] == 1
