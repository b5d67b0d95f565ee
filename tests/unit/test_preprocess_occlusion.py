"""Things in front of the mouth, on drawn faces: what covers it hides the effect, what a face does by itself never."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.occlusion import find_visibility
from services.preprocess.runs import Run
from tests.coloured_face import SKIN, Picture, clipped, drawn, face, look, noise
from tests.shown_picture import ShownPicture

Paint = Callable[[Picture, int], Picture]
RATE = Fraction(25)
FRAMES = 60


class Rows:
    """Landmarks of rows in memory."""

    def __init__(self, landmarks: NDArray[np.float32]) -> None:
        self._landmarks = landmarks

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        return self._landmarks[start:stop]


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
