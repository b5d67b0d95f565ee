"""A mouth at rest over one that talks in the footage: where it lies, whose light it has, and when it is shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Frame, rgb_to_yuv
from services.render.edits.resting import RestingMouth
from services.render.families.default.interior_reference import read_references
from services.render.families.default.resting_look import resting_look, rests, rests_in_view
from tests.drawn_mouth import CROP, GAP, SIDE, introduced, landmarks, picture, reference
from tests.unit.test_reposing import LAYOUTS, same_bits, wavy_frame

SCALE = SIDE / CROP.extent
TO_FACE = np.array([[1 / SCALE, 0, CROP.left], [0, 1 / SCALE, CROP.top]])
TO_PICTURE = np.array([[SCALE, 0, -CROP.left * SCALE], [0, SCALE, -CROP.top * SCALE]])


def frame_of(rgb: NDArray[np.uint8], bit_depth: int = 8, step: tuple[int, int] = (1, 1)) -> Frame:
    like = wavy_frame(bit_depth, step, size=(SIDE, SIDE))
    y, u, v = np.moveaxis(rgb_to_yuv(rgb, like.matrix, like.range, bit_depth), -1, 0)
    chroma = [np.ascontiguousarray(plane[:: step[1], :: step[0]]) for plane in (u, v)]
    return replace(like, y=np.ascontiguousarray(y), u=chroma[0], v=chroma[1])


class AsItIs:
    """Lays a picture to rest that is at rest."""

    def apply(self, frame: Frame) -> None:
        pass


def talking(opening: float = 0.0, *, speaking: float = 0.1, eye_distance: float = 160) -> bool:
    """Whether somebody whose most closed mouth is open by `opening` is laid to rest."""
    shown = introduced([picture(landmarks(opening), ())], [landmarks(opening)], eye_distance)
    shown = replace(shown, speaking_opening=speaking)
    return rests_in_view(shown, read_references(shown, CROP)[0])


def in_face_units(opening: float) -> NDArray[np.float64]:
    return landmarks(opening)[:, :2].astype(np.float64) / SCALE + (CROP.left, CROP.top)


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
def test_its_own_picture_changes_next_to_nothing(bit_depth: int, step: tuple[int, int]) -> None:
    shut = picture(landmarks(0), ())
    frame, before = frame_of(shut, bit_depth, step), frame_of(shut, bit_depth, step)
    RestingMouth(shut, TO_PICTURE, 1.0).lay_over(frame, TO_FACE)
    one = 1 << (bit_depth - 8)
    assert np.abs(frame.y.astype(int) - before.y).max() <= one
    # Chroma is sampled here and averaged there.
    assert np.abs(frame.u.astype(int) - before.u).mean() <= 0.2 * one


def test_an_open_mouth_is_shut_in_the_light_of_the_frame() -> None:
    shut, opened = picture(landmarks(0), ()), picture(landmarks(0.12), (GAP,))
    dim = (opened * 0.8).astype(np.uint8)
    frame, expected = frame_of(dim), frame_of((shut * 0.8).astype(np.uint8))
    RestingMouth(shut, TO_PICTURE, 1.0).lay_over(frame, TO_FACE)
    row, column = round(-CROP.top * SCALE), SIDE // 2
    inside = (slice(row - 20, row + 30), slice(column - 50, column + 50))
    apart = np.abs(frame.y[inside].astype(float) - expected.y[inside])
    assert apart.mean() < 6, "shut, and as bright as the face is"
    far = (slice(0, row - 60), slice(None))
    assert (frame.y[far] == frame_of(dim).y[far]).all(), "above the mouth nothing changes"


def test_half_of_it_lies_half_way() -> None:
    shut, opened = picture(landmarks(0), ()), picture(landmarks(0.12), (GAP,))
    frames = []
    for share in (0.0, 0.5, 1.0):
        frame = frame_of(opened)
        RestingMouth(shut, TO_PICTURE, share).lay_over(frame, TO_FACE)
        frames.append(frame.y.astype(float))
    np.testing.assert_allclose(frames[1], (frames[0] + frames[2]) / 2, atol=1)


def test_outside_the_frame_there_is_nothing_to_change() -> None:
    frame = frame_of(picture(landmarks(0), ()))
    away = TO_FACE + np.array([[0, 0, 5], [0, 0, 5]])
    RestingMouth(picture(landmarks(0), ()), TO_PICTURE, 1.0).lay_over(frame, away)
    assert same_bits(frame, frame_of(picture(landmarks(0), ())))


def test_only_who_talks_and_was_seen_shut_is_laid_to_rest() -> None:
    assert talking()
    assert not talking(speaking=0)
    assert not talking(eye_distance=900), "the kept picture is less fine than the face"
    assert not talking(0.05)


def test_the_look_is_the_picture_as_the_edit_leaves_it() -> None:
    class Dims:
        def apply(self, frame: Frame) -> None:
            frame.y[...] //= 2

    closed = reference(picture(landmarks(0), ()))
    kept, dimmed = (resting_look(closed, edit).picture.astype(int) for edit in (AsItIs(), Dims()))
    assert np.abs(kept - np.rint(closed.image * 255)).max() <= 2
    assert dimmed.mean() < 0.7 * kept.mean()


def test_it_is_shown_where_the_footage_talks_and_the_head_looks_the_same_way() -> None:
    look = resting_look(reference(picture(landmarks(0), ())), AsItIs())
    rest, moved = in_face_units(0), in_face_units(0.1)
    mouth = look.mouth(moved, rest, 1.0)
    assert mouth is not None
    assert mouth.share == 1
    np.testing.assert_allclose(mouth.to_picture, TO_PICTURE, atol=1e-3)
    half = look.mouth(moved, rest, 0.5)
    assert half is not None
    assert half.share == 0.5
    assert look.mouth(moved, rest, 1e-6) is None, "that changes no level"
    assert look.mouth(rest, rest, 1.0) is None, "a mouth that rests anyway keeps its own pixels"
    turned = rest.copy()
    turned[4, 0] += 0.3
    assert look.mouth(moved, turned, 1.0) is None


def test_it_is_gone_before_the_mouth_moves_and_stays_away_in_short_pauses() -> None:
    coefficients = np.zeros((200, 8), np.float32)
    coefficients[80:100, 0] = 0.5
    coefficients[112:130, 1] = 1
    shown = rests(coefficients)
    assert (shown[[0, 50, 199]] == 1).all()
    assert shown[79:131].max() < 0.01
    assert np.abs(np.diff(shown)).max() < 0.15, "it fades"
    assert (rests(np.full((10, 8), 0.02, np.float32)) == 1).all()


def test_what_is_no_face_beside_the_jaw_does_not_colour_the_chin() -> None:
    shut = picture(landmarks(0), ())
    beside = shut.copy()
    # A dark wall reaches to the jaw on the left, where the picture shows skin.
    beside[:, : round((-CROP.left - 0.42) * SCALE)] = 20
    frame, before = frame_of(beside), frame_of(beside)
    RestingMouth(shut, TO_PICTURE, 1.0).lay_over(frame, TO_FACE)
    chin = np.s_[round((-CROP.top + 0.05) * SCALE) : round((-CROP.top + 0.2) * SCALE), SIDE // 2 - 40 : SIDE // 2 + 40]
    assert np.abs(frame.y[chin].astype(float) - before.y[chin]).max() <= 2
