"""What looks like a mouth by itself: drawn lips do, whatever the skin and the light; what lies before them does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.complexion import judge_mouths, read_blur, read_mouth
from services.preprocess.face_picture import take_face
from services.preprocess.lips import MOUTH_COLOURS, mouth_colours, mouth_evidence
from tests.shown_picture import ShownPicture

Picture = NDArray[np.uint8]
Paint = Callable[[Picture], Picture]
EYES = 56.0
MIDDLE = np.array([60.0, 60.0])
HALF_WIDTH, UPPER_HEIGHT, LOWER_HEIGHT = 22.0, 6.0, 8.0
UPPER_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LOWER_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
HIDDEN, SHOWN = 0.4, 0.6
"""Evidence below which a mouth is taken for hidden, and what a bare one has at least"""


def mouth_points(opening: float = 0.0) -> NDArray[np.float64]:
    """(478, 2): a mouth round MIDDLE, its inner lips `opening` pixels apart."""
    points = np.zeros((478, 2))
    points[33], points[263] = (MIDDLE[0] - EYES / 2, 15), (MIDDLE[0] + EYES / 2, 15)
    across = np.linspace(-1, 1, 11)
    arch = 1 - across**2
    for edge, height in (
        (UPPER_OUTER, -UPPER_HEIGHT - opening / 2),
        (UPPER_INNER, -opening / 2),
        (LOWER_INNER, opening / 2),
        (LOWER_OUTER, LOWER_HEIGHT + opening / 2),
    ):
        points[list(edge)] = MIDDLE + np.column_stack([HALF_WIDTH * across, height * arch])
    return points


def drawn(
    skin: tuple[int, int, int] = (205, 160, 135), lips: tuple[int, int, int] = (185, 100, 100), opening: float = 0.0
) -> Picture:
    """Skin, lips and what lies between them: a dark line, or teeth."""
    picture = np.full((120, 120, 3), skin, np.uint8)
    points = mouth_points(opening)
    fill(picture, points, (*UPPER_OUTER, *LOWER_OUTER[::-1]), lips)
    if opening:
        fill(picture, points, (*UPPER_INNER, *LOWER_INNER[::-1]), (225, 220, 205))
    else:
        cv2.line(picture, (39, 60), (81, 60), (np.array(lips) * 0.55).tolist(), 2)
    noise = np.random.default_rng(2).normal(0, 2, picture.shape)
    return clipped(picture + noise)


def fill(picture: Picture, points: NDArray[np.float64], edge: tuple[int, ...], colour: tuple[int, int, int]) -> None:
    cv2.fillPoly(picture, [np.rint(points[list(edge)]).astype(np.int32)], colour)


def clipped(values: NDArray[Any]) -> Picture:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def evidence(picture: Picture, opening: float = 0.0) -> float:
    return float(mouth_evidence(mouth_colours(picture, mouth_points(opening), EYES)[None])[0])


def grey(picture: Picture) -> Picture:
    return clipped(np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2))


def bearded(picture: Picture) -> Picture:
    """Dark hair round the lips."""
    hair = clipped(np.random.default_rng(3).normal(45, 12, picture.shape[:2]))
    lips = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(lips, [np.rint(mouth_points()[[*UPPER_OUTER, *LOWER_OUTER[::-1]]]).astype(np.int32)], 1)
    return np.where((lips > 0)[..., None], picture, hair[..., None]).astype(np.uint8)


BARE: dict[str, Picture] = {
    "light skin": drawn(),
    "dark skin": drawn((96, 62, 46), (95, 48, 45)),
    "lipstick": drawn(lips=(160, 25, 45)),
    "lips like skin": drawn(lips=(200, 150, 128)),
    "low light": clipped(drawn() * 0.25),
    "grey": grey(drawn()),
    "beard": bearded(drawn()),
}


@pytest.mark.parametrize("name", BARE)
def test_a_bare_mouth_is_seen(name: str) -> None:
    assert evidence(BARE[name]) > SHOWN


@pytest.mark.parametrize("paint", [clipped, grey])
def test_teeth_are_seen(paint: Paint) -> None:
    assert evidence(paint(drawn(opening=10)), opening=10) > SHOWN


def test_lips_in_another_place_are_no_mouth() -> None:
    picture = np.roll(drawn(), 30, axis=0)
    assert evidence(picture) < HIDDEN


def palm(picture: Picture) -> Picture:
    """The face's own colour, round like a hand's back, with its texture."""
    shade = 1 - 0.2 * np.linspace(-1, 1, 120)[:, None, None] ** 2
    texture = 1 + 0.02 * np.random.default_rng(5).normal(size=(120, 120, 1))
    return clipped(np.array([199, 150, 124]) * shade * texture)


def fingers(picture: Picture) -> Picture:
    """Upright, with dark gaps between them."""
    bulge = 0.55 + 0.45 * np.sqrt(1 - ((np.arange(120) % 15 - 7) / 8) ** 2)
    return clipped(np.array([199, 150, 124]) * np.repeat(bulge[None, :, None], 120, axis=0))


def microphone(picture: Picture) -> Picture:
    """Its round head over the lips, its handle below."""
    covered = picture.copy()
    cv2.circle(covered, (60, 60), 27, (38, 38, 42), -1)
    cv2.line(covered, (60, 60), (64, 119), (60, 60, 64), 18)
    return covered


def mask(picture: Picture) -> Picture:
    """Pleated cloth."""
    pleats = 1 - 0.06 * (np.arange(120) % 24 < 2)
    return clipped(np.array([150, 190, 215]) * np.repeat(pleats[:, None, None], 120, axis=1))


@pytest.mark.parametrize("thing", [palm, fingers, microphone, mask])
@pytest.mark.parametrize("paint", [clipped, grey])
def test_what_lies_before_the_mouth_is_none(thing: Paint, paint: Paint) -> None:
    assert evidence(paint(thing(drawn()))) < HIDDEN


@pytest.mark.parametrize("thing", [palm, microphone])
@pytest.mark.parametrize("side", [slice(0, 68), slice(52, 120)])
def test_one_part_of_three_does_not_show_a_mouth(thing: Paint, side: slice) -> None:
    picture, covered = drawn(), thing(drawn())
    picture[:, side] = covered[:, side]
    assert evidence(picture) < HIDDEN


@pytest.mark.parametrize("middle", [46, 60, 74], ids=["left", "middle", "right"])
def test_a_finger_over_a_third_of_it_is_enough(middle: int) -> None:
    picture, reach = drawn(), 9
    across = np.abs(np.arange(2 * reach) - reach + 0.5) / reach
    finger = np.array([199, 150, 124]) * (1 - 0.38 * across[None, :, None] ** 2.5)
    picture[30:, middle - reach : middle + reach] = clipped(np.repeat(finger, 90, axis=0))
    assert evidence(picture) < HIDDEN
    assert evidence(grey(picture)) < HIDDEN


@pytest.mark.parametrize("noise", range(1, 9))
@pytest.mark.parametrize("side", [slice(0, 58), slice(62, 120)], ids=["left", "right"])
@pytest.mark.parametrize("lips", [(185, 100, 100), (200, 150, 128)], ids=["red", "pale"])
def test_a_hand_over_half_of_it_is_seen_in_every_noise(noise: int, side: slice, lips: tuple[int, int, int]) -> None:
    """Lips' redness decides nothing: what is over them is plain, and that by a margin."""
    picture, covered = drawn(lips=lips), palm(drawn())
    picture[:, side] = covered[:, side]
    noisy = clipped(picture + np.random.default_rng(noise).normal(0, noise, picture.shape))
    assert evidence(noisy) == 0


def moustache(picture: Picture, reach: int) -> Picture:
    """Dark hair from the nose to below the upper lip, up to `reach` pixels from the middle."""
    hair = clipped(np.random.default_rng(3).normal(55, 12, (26, 2 * reach, 1)))
    picture = picture.copy()
    picture[35:61, 60 - reach : 60 + reach] = hair
    return picture


@pytest.mark.parametrize(("opening", "reach"), [(0, 9), (0, 16), (6, 9), (6, 16), (6, 26)])
@pytest.mark.parametrize("paint", [clipped, grey])
def test_a_moustache_is_no_finger(opening: float, reach: int, paint: Paint) -> None:
    assert evidence(paint(moustache(drawn(opening=opening), reach)), opening) > SHOWN


def folded(picture: Picture, contrast: float) -> Picture:
    """Over the left half lies skin that gets darker downwards."""
    folded = picture.copy()
    shade = 2 ** -(contrast * np.clip((np.arange(120) - 54) / 12, 0, 1))
    folded[:, :58] = clipped(np.array([199, 150, 124]) * shade[:, None, None])
    return folded


def test_skin_that_is_shaded_is_known_by_the_red_that_it_lacks() -> None:
    assert evidence(folded(drawn(), 0.45)) == 0
    assert evidence(grey(folded(drawn(), 0.45))) > HIDDEN, "without colours it may as well be hair"


def test_light_that_leaves_nothing_is_no_finger() -> None:
    picture = drawn()
    picture[:, 52:68] = (255, 250, 240)
    assert evidence(picture) > SHOWN


def test_lips_as_bright_as_the_skin_are_no_finger() -> None:
    picture = np.full((120, 120, 3), (205, 160, 135), np.uint8)
    fill(picture, mouth_points(), (*UPPER_OUTER, *LOWER_OUTER[::-1]), (245, 143, 125))
    assert evidence(picture) > SHOWN


def test_a_crumb_is_no_finger() -> None:
    picture = drawn()
    cv2.circle(picture, (60, 61), 4, (199, 150, 124), -1)
    assert evidence(picture) > SHOWN


def test_nothing_depends_on_the_turn_of_the_picture() -> None:
    turned = np.ascontiguousarray(np.rot90(drawn()))
    points = np.column_stack([mouth_points()[:, 1], 120 - mouth_points()[:, 0]])
    of_turned = mouth_evidence(mouth_colours(turned, points, EYES)[None])
    assert of_turned == pytest.approx(evidence(drawn()), abs=0.05)


def test_mouths_are_judged_together_as_alone() -> None:
    colours = np.array([mouth_colours(picture, mouth_points(), EYES) for picture in (drawn(), bearded(drawn()))])
    alone = [mouth_evidence(each[None])[0] for each in colours]
    assert mouth_evidence(colours) == pytest.approx(alone)
    assert alone[0] > alone[1] + 0.1


def test_no_mouths_are_no_fault() -> None:
    """A track whose rows were all judged before it ends has none left."""
    assert mouth_evidence(np.empty((0, *MOUTH_COLOURS), np.uint8)).shape == (0,)


def test_a_blurred_picture_cannot_tell() -> None:
    landmarks = np.column_stack([mouth_points(), np.zeros(478)]).astype(np.float32)
    landmarks[~landmarks.any(axis=1)] = (*MIDDLE, 0)
    landmarks[[50, 280]] = (20, 20, 0), (100, 100, 0)
    faces = [
        take_face(ShownPicture(picture), landmarks)
        for picture in (drawn(), clipped(cv2.GaussianBlur(drawn(), (0, 0), 3.0)))
    ]
    blurs = np.array([read_blur(face, landmarks) for face in faces], np.float32)
    evidence = judge_mouths(np.array([read_mouth(face, landmarks) for face in faces]), blurs)
    assert np.isfinite(evidence).tolist() == [True, False]
