"""Things in front of the mouth, on drawn faces: what covers it hides the effect, what a face does by itself never."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.complexion import (
    LOWER_LIP,
    POINTS,
    UPPER_FACE,
    edge_width,
    facing_points,
    mesh_points,
    read_colours,
)
from services.preprocess.face_picture import take_face
from services.preprocess.faces import LANDMARKS
from services.preprocess.occlusion import find_visibility
from services.preprocess.runs import Run
from tests.shown_picture import ShownPicture

Picture = NDArray[np.uint8]
Paint = Callable[[Picture, int], Picture]
RATE = Fraction(25)
FRAMES = 60
SKIN, LIPS = (205, 160, 135), (185, 95, 95)
LIP_LINES = (0, 13, 14, 17, 37, 82, 84, 87, 267, 312, 314, 317, 39, 81, 181, 178, 269, 311, 405, 402, 40, 80, 91, 88)


class Rows:
    """Landmarks of rows in memory."""

    def __init__(self, landmarks: NDArray[np.float32]) -> None:
        self._landmarks = landmarks

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        return self._landmarks[start:stop]


def face() -> NDArray[np.float32]:
    """(478, 3): eyes at 80, the mouth round (100, 140), every point of the upper face above 120."""
    random = np.random.default_rng(4)
    points = np.column_stack(
        [random.uniform(60, 140, LANDMARKS), random.uniform(150, 185, LANDMARKS), np.zeros(LANDMARKS)]
    )
    points[33], points[263], points[234], points[454] = (65, 80, 0), (135, 80, 0), (45, 90, 60), (155, 90, 60)
    points[10], points[152] = (100, 45, 0), (100, 195, 0)
    for index in (164, 167, 393, 165, 391, 2):
        points[index] = (random.uniform(80, 120), 124, -10)
    upper = (
        50,
        280,
        101,
        330,
        118,
        347,
        36,
        266,
        205,
        425,
        6,
        197,
        195,
        5,
        198,
        420,
        151,
        9,
        108,
        337,
        123,
        352,
        187,
        411,
    )
    for index in upper:
        points[index] = (random.uniform(60, 140), random.uniform(55, 110), -5)
    for index in LIP_LINES:
        points[index] = (random.uniform(82, 118), random.uniform(136, 144), -10)
    return points.astype(np.float32)


def clipped(values: NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def drawn(index: int) -> Picture:
    """Skin with soft shading and noise, and lips."""
    picture = np.empty((240, 200, 3))
    picture[:] = SKIN
    picture[134:147, 78:122] = LIPS
    shade = 1 - 0.25 * np.linspace(-1, 1, 200)[None, :, None] ** 2
    return clipped(picture * shade + 3 * noise(index))


@cache
def one_noise() -> NDArray[np.float64]:
    return np.random.default_rng(8).normal(size=(240, 200, 3))


def noise(index: int) -> NDArray[np.float64]:
    """(240, 200, 3) of variance 1, another one for each index."""
    return np.roll(one_noise(), 17 * index, axis=(0, 1))


def look(picture: ShownPicture, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    return read_colours(take_face(picture, landmarks), landmarks)


def visibility(paint: Paint, frames: int = FRAMES) -> NDArray[np.float64]:
    landmarks = face()
    colours = np.array([look(ShownPicture(paint(drawn(index), index)), landmarks) for index in range(frames)])
    rows = Rows(np.repeat(landmarks[None], frames, axis=0))
    return find_visibility(colours, mouths(frames), rows, [Run(0, 0, frames)], RATE)


def mouths(frames: int, evidence: float = 2.0) -> NDArray[np.float64]:
    return np.full(frames, evidence)


def covered(picture: Picture, colour: tuple[int, int, int], top: int = 115, left: int = 0) -> Picture:
    picture = picture.copy()
    picture[top:, left:] = colour
    return picture


THINGS = {
    "hand": (190, 135, 112),
    "paper": (235, 235, 230),
    "microphone": (35, 35, 38),
    "red scarf": (130, 20, 30),
}


@pytest.mark.parametrize("colour", THINGS.values(), ids=THINGS)
def test_a_thing_that_passes_hides_the_effect_softly(colour: tuple[int, int, int]) -> None:
    visible = visibility(lambda picture, index: covered(picture, colour) if 20 <= index < 40 else picture)
    assert visible[18:42].max() == 0
    assert visible[:10].min() == visible[-10:].min() == 1
    assert np.abs(np.diff(visible)).max() < 0.35


@pytest.mark.parametrize("colour", THINGS.values(), ids=THINGS)
def test_half_a_mouth_is_not_enough(colour: tuple[int, int, int]) -> None:
    visible = visibility(lambda picture, index: covered(picture, colour, left=105) if 20 <= index < 40 else picture)
    assert visible[20:40].max() == 0


@pytest.mark.parametrize("name", ["paper", "microphone", "red scarf"])
def test_a_thing_that_is_always_there_is_known_by_its_colour(name: str) -> None:
    assert visibility(lambda picture, _: covered(picture, THINGS[name])).max() == 0
    assert visibility(lambda picture, _: covered(picture, THINGS[name]), frames=1).tolist() == [0]


def test_a_hand_that_is_there_most_of_the_time_is_still_no_face() -> None:
    visible = visibility(lambda picture, index: covered(picture, THINGS["hand"]) if index < 45 else picture)
    assert visible[:44].max() == 0
    assert visible[-5:].min() == 1


def brighter(picture: Picture, index: int) -> Picture:
    return clipped(picture * (1 + 0.4 * np.sin(index / 6)))


def lit_from_aside(picture: Picture, index: int) -> Picture:
    light = 1 + 0.4 * np.sin(index / 8) * np.linspace(-1, 1, 200)[None, :, None]
    return clipped(picture * light)


def warmer(picture: Picture, index: int) -> Picture:
    tint = 1 + 0.15 * np.sin(index / 8) * np.array([1, 0, -1])
    return clipped(picture * tint)


def noisy(picture: Picture, index: int) -> Picture:
    return clipped(picture * 0.4 + 15 * noise(index))


def flashed(picture: Picture, index: int) -> Picture:
    return clipped(picture * (1.8 if index % 20 < 2 else 1.0))


def bearded(picture: Picture, index: int) -> Picture:
    """Dark and grey hair round the mouth, in motion; the lips stay."""
    with_beard = picture.copy()
    hair = np.random.default_rng(index // 3).normal(60, 25, (125, 200, 1))
    with_beard[115:] = np.clip(hair, 10, 200)
    with_beard[134:147, 78:122] = picture[134:147, 78:122]
    return with_beard


def grey(picture: Picture, _: int) -> Picture:
    return clipped(np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2))


@pytest.mark.parametrize("paint", [brighter, lit_from_aside, warmer, noisy, flashed, bearded, grey])
def test_what_a_face_does_by_itself_hides_nothing(paint: Paint) -> None:
    assert visibility(paint).min() == 1


def test_a_moment_is_no_cover() -> None:
    visible = visibility(lambda picture, index: covered(picture, (190, 135, 112)) if index == 30 else picture)
    assert visible.min() == 1


def test_the_effect_does_not_blink_between_two_covers() -> None:
    visible = visibility(
        lambda picture, index: covered(picture, (35, 35, 38)) if index % 8 < 4 and 16 <= index < 44 else picture
    )
    assert visible[16:40].max() == 0


def test_frames_that_nobody_looked_at_hide_the_effect_unless_they_are_few() -> None:
    landmarks = np.repeat(face()[None], 40, axis=0)
    colours = np.array([look(ShownPicture(drawn(index)), landmarks[0]) for index in range(40)])
    colours[10:12], colours[25:32] = 0, 0
    visible = find_visibility(colours, mouths(40), Rows(landmarks), [Run(0, 0, 40)], RATE)
    assert visible[5:15].min() == 1
    assert visible[25:32].max() == 0


def test_runs_are_judged_apart() -> None:
    landmarks = np.repeat(face()[None], 60, axis=0)
    colours = np.array(
        [
            look(ShownPicture(covered(drawn(index), (35, 35, 38)) if index < 20 else drawn(index)), landmarks[0])
            for index in range(60)
        ]
    )
    visible = find_visibility(colours, mouths(60), Rows(landmarks), [Run(0, 0, 20), Run(100, 20, 40)], RATE)
    assert visible[:20].max() == 0
    assert visible[20:].min() == 1


def visibility_of(evidence: NDArray[np.float64], paint: Paint = lambda picture, _: picture) -> NDArray[np.float64]:
    landmarks, frames = face(), len(evidence)
    colours = np.array([look(ShownPicture(paint(drawn(index), index)), landmarks) for index in range(frames)])
    return find_visibility(
        colours, evidence, Rows(np.repeat(landmarks[None], frames, axis=0)), [Run(0, 0, frames)], RATE
    )


@pytest.mark.parametrize("frames", [1, 60])
def test_what_never_looks_like_a_mouth_is_hidden(frames: int) -> None:
    assert visibility_of(mouths(frames, 0.1)).max() == 0
    assert visibility_of(mouths(frames, 0.6)).min() == 1


def test_a_mouth_that_hardly_ever_shows_is_hidden_but_then() -> None:
    evidence = mouths(150, 0.1)
    evidence[120:] = 2
    visible = visibility_of(evidence)
    assert visible[:118].max() == 0
    assert visible[-10:].min() == 1


def test_a_mouth_that_is_faint_now_and_then_is_not_hidden() -> None:
    evidence = mouths(60, 0.1)
    evidence[20:40] = 2
    assert visibility_of(evidence).min() == 1


def test_what_looks_like_no_mouth_is_not_what_a_person_looks_like() -> None:
    """The hand is there for most of the time: by its colours alone it would be the usual, and the lips the stranger."""
    evidence = np.where(np.arange(60) < 40, 0.1, 2.0)
    visible = visibility_of(evidence, lambda picture, index: covered(picture, SKIN) if index < 40 else picture)
    assert visible[:38].max() == 0
    assert visible[-5:].min() == 1


def test_colours_are_means_at_the_points_of_the_mesh() -> None:
    colours = look(ShownPicture(drawn(0)), face())
    assert colours.shape == (POINTS, 3)
    assert np.abs(colours[UPPER_FACE].astype(int) - SKIN).max() < 45
    assert np.abs(np.median(colours[LOWER_LIP], axis=0) - np.multiply(LIPS, 0.97)).max() < 12


def test_points_outside_the_picture_are_unknown() -> None:
    landmarks = face() + np.array([0, 60, 0], np.float32)
    colours = look(ShownPicture(drawn(0)), landmarks)
    outside = mesh_points(landmarks)[:, 1] > 240
    assert outside.any()
    assert (colours.any(axis=1) == ~outside).all()


def test_the_far_cheek_of_a_turned_head_is_not_judged() -> None:
    landmarks, yaw = face(), np.radians(60)
    centred = landmarks - np.array([100, 100, 60], np.float32)
    rotation = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turned = (centred @ rotation.T).astype(np.float32)
    assert facing_points(centred[None])[0].mean() > 0.95
    far = mesh_points(centred)[:, 0] < -25
    assert not facing_points(turned[None])[0, far].any()


@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0])
def test_the_width_of_edges_is_measured(sigma: float) -> None:
    steps = np.kron(np.random.default_rng(1).uniform(0, 255, (4, 4)), np.ones((32, 32)))
    blurred = cv2.GaussianBlur(steps, (0, 0), sigma).astype(np.uint8)
    assert edge_width(blurred) == pytest.approx(sigma, rel=0.3)
    assert edge_width(steps.astype(np.uint8)) < 0.5


def test_a_picture_without_edges_is_not_called_blurred() -> None:
    assert edge_width(np.full((64, 64), 90, np.uint8)) == 0
