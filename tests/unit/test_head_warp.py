"""The head moves, the picture's edges do not, and nothing gets softer or sharper on the way."""

from __future__ import annotations

from copy import deepcopy

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Frame, Range
from services.render.stills.curves import DIP, LARGEST_SWAY, PITCH, ROLL, SLIDE, YAW
from services.render.stills.eyelids import Eyelids
from services.render.stills.fine_plane import FinePlane
from services.render.stills.head_warp import HeadWarp
from tests.drawn_face import EYES, MIDDLE, UNIT, Look, draw_face, face_points

FORMS = [
    Look(),
    Look(chroma_step=(2, 1), range=Range.FULL),
    Look(bit_depth=10),
    Look(bit_depth=10, chroma_step=(1, 1)),
]


def moved(photo: Frame, **sway: float) -> Frame:
    """The photo with shares of the largest sway."""
    frame = deepcopy(photo)
    kinds = {"slide": SLIDE, "dip": DIP, "roll": ROLL, "yaw": YAW, "pitch": PITCH}
    share = np.zeros(5)
    for kind, value in sway.items():
        share[kinds[kind]] = value
    HeadWarp(photo, face_points(), LARGEST_SWAY).move(frame, share * LARGEST_SWAY)
    return frame


def shift(photo: Frame, frame: Frame, middle: NDArray[np.float64], half: int = 24) -> NDArray[np.float64]:
    """How far the picture round `middle` went, in pixels to the right and down."""
    x, y = middle.astype(int)
    part = np.s_[y - half : y + half, x - half : x + half]
    window = cv2.createHanningWindow((2 * half, 2 * half), cv2.CV_32F)
    before, after = (plane[part].astype(np.float32) for plane in (photo.y, frame.y))
    return np.array(cv2.phaseCorrelate(before - before.mean(), after - after.mean(), window)[0])


@pytest.mark.parametrize("look", FORMS)
def test_a_head_at_rest_keeps_every_bit(look: Look) -> None:
    photo = draw_face(look)
    frame = moved(photo)
    assert all(np.array_equal(*planes) for planes in zip(photo.planes, frame.planes, strict=True))


@pytest.mark.parametrize("look", FORMS)
def test_the_edges_of_the_picture_do_not_move(look: Look) -> None:
    photo = draw_face(look)
    frame = moved(photo, slide=1, dip=-1, roll=1, yaw=-1, pitch=1)
    for before, after in zip(photo.planes, frame.planes, strict=True):
        assert before.dtype == after.dtype
        changed = np.not_equal(before, after)
        assert changed.any()
        for edge in (changed[:2], changed[-2:], changed[:, :2], changed[:, -2:]):
            assert not edge.any()


def test_the_head_goes_where_it_is_told_to() -> None:
    photo = draw_face()
    for kind, axis in (("slide", 0), ("yaw", 0), ("dip", 1), ("pitch", 1)):
        there, back = (shift(photo, moved(photo, **{kind: sign}), MIDDLE)[axis] for sign in (1.0, -1.0))
        assert 0.15 < there < 0.04 * UNIT
        assert back == pytest.approx(-there, abs=0.2)
    left, right = (shift(photo, moved(photo, roll=1), eye, 16) for eye in EYES)
    assert left[0] > 0.2 < right[0], "clockwise about the neck: to the right"
    assert left[1] < right[1], "and the right eye lower"
    assert shift(photo, moved(photo, roll=1), MIDDLE, 16)[0] < left[0]


def test_the_nose_turns_further_than_the_outline() -> None:
    photo = draw_face()
    frame = moved(photo, yaw=1)
    nose, cheek = (shift(photo, frame, place, 16)[0] for place in (MIDDLE, MIDDLE + np.array([-45, 0])))
    assert nose > 1.2 * cheek > 0


def test_the_face_moves_in_one_piece() -> None:
    photo = draw_face()
    frame = moved(photo, slide=1, dip=1)
    left, right = (shift(photo, frame, eye, 16) for eye in EYES)
    assert left == pytest.approx(right, abs=0.05)


def test_sharpness_does_not_pulse() -> None:
    """The face's grain is as fine as a sharp photo's: plain sampling would lose a third of it on the way."""
    photo = draw_face(Look(grain=0.7, bit_depth=10))

    def sharpness(frame: Frame) -> float:
        return float(cv2.Laplacian(frame.y[210:260, 130:190].astype(np.float32), cv2.CV_32F).var())

    steps = np.linspace(-1, 1, 9)
    shares = [sharpness(moved(photo, slide=step, dip=0.6 * step)) / sharpness(photo) for step in steps]
    assert min(shares) > 0.85
    assert max(shares) < 1.1


def test_what_the_mouth_did_moves_along() -> None:
    photo = draw_face()
    warp, frame = HeadWarp(photo, face_points(), LARGEST_SWAY), deepcopy(photo)
    frame.y[240:260, 140:180] = 20
    expected = deepcopy(frame)
    warp.move(frame, 0.7 * LARGEST_SWAY)
    HeadWarp(deepcopy(expected), face_points(), LARGEST_SWAY).move(expected, 0.7 * LARGEST_SWAY)
    assert np.array_equal(frame.y, expected.y)


def test_a_fine_plane_that_follows_is_like_a_new_one() -> None:
    chance = np.random.default_rng(3)
    plane = chance.integers(0, 255, (60, 80), np.uint8)
    fine = FinePlane(plane, 8)
    x, y = (np.asarray(chance.uniform(0, size, (40, 40)), np.float32) for size in (158, 118))
    for part in (np.s_[20:30, 30:50], np.s_[0:5, 0:80], np.s_[59:60, 70:80]):
        plane[part] = chance.integers(0, 255, plane[part].shape, np.uint8)
        fine.follow(plane)
        assert np.array_equal(fine.sample(x, y), FinePlane(plane, 8).sample(x, y))


@pytest.mark.parametrize("yaw", [0.0, 0.7, 1.4])
@pytest.mark.parametrize("scale", [0.08, 0.4, 1.0, 2.5])
@pytest.mark.parametrize("place", [(160, 190), (20, 30), (310, 390)])
def test_every_face_can_be_moved(yaw: float, scale: float, place: tuple[int, int]) -> None:
    """Tiny, huge, in profile, half out of the picture: whatever is found, a job must not end here."""
    photo = draw_face()
    centred = (face_points() - (*MIDDLE, 0)) * scale
    turned = centred @ np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    points = turned + np.array([*place, 0])
    frame = deepcopy(photo)
    Eyelids(photo, points[:, :2]).close(frame, 1.0)
    HeadWarp(photo, points, LARGEST_SWAY).move(frame, LARGEST_SWAY)
    for edge in (np.s_[:1], np.s_[-1:], np.s_[:, :1], np.s_[:, -1:]):
        assert np.array_equal(frame.y[edge], photo.y[edge])
