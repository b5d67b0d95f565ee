"""How a photo comes to life over time: seeded, bounded, smooth, with the speech; and what it is added to."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from services.media import Frame
from services.preprocess.faces import FaceBatch, Speech
from services.render.stills.curves import DIP, LARGEST_SWAY, PITCH, MotionCurves, motion_curves
from services.render.stills.motion import Mouths, StillMotion
from tests.drawn_face import draw_face, face_points

RATE = Fraction(25)


def speech_of(seconds: float, talks: bool = True) -> Speech:
    """Syllables in phrases of three seconds with a second's pause between them."""
    times = np.arange(int(seconds * 80)) / 80
    level = np.where(times % 4 < 3, -25 + 8 * np.sin(2 * np.pi * 3 * times), -80) if talks else np.full(len(times), -90)
    voice = (level > -50).astype(np.float32)
    mel, features = np.zeros((80, len(times)), np.float32), np.zeros((64, len(times)), np.float16)
    return Speech(mel, level.astype(np.float32), voice, features)


def curves(seed: str = "photo speech", seconds: float = 60, *, talks: bool = True, poster: int = 0) -> MotionCurves:
    return motion_curves(speech_of(seconds, talks), RATE, int(seconds * RATE), seed, poster)


def blink_starts(moving: MotionCurves) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    closed = moving.closed > 0
    return np.flatnonzero(closed[1:] & ~closed[:-1]) / float(RATE)


def test_the_same_job_moves_the_same_and_others_do_not() -> None:
    first, again, other = curves(), curves(), curves("another speech")
    assert np.array_equal(first.sway, again.sway)
    assert np.array_equal(first.closed, again.closed)
    assert abs(np.corrcoef(first.closed, other.closed)[0, 1]) < 0.3, "photos of a batch do not blink in unison"
    assert abs(np.corrcoef(first.sway[:, 3], other.sway[:, 3])[0, 1]) < 0.5


@pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
def test_sway_is_slight_slow_and_never_at_rest(seed: str) -> None:
    sway = curves(seed).sway
    assert (np.abs(sway) <= LARGEST_SWAY).all()
    assert (np.abs(sway).max(axis=0) > 0.2 * LARGEST_SWAY).all()
    assert (np.abs(np.diff(sway, axis=0)) < 0.12 * LARGEST_SWAY).all(), "no jerk from frame to frame"


def test_the_head_nods_with_the_speech_and_settles_in_pauses() -> None:
    spoken = np.mean([curves(f"{seed}").sway for seed in range(40)], axis=0)
    silent = np.mean([curves(f"{seed}", talks=False).sway for seed in range(40)], axis=0)
    assert np.std(spoken[:, PITCH]) > 1.5 * np.std(silent[:, PITCH])
    assert silent[:, DIP].mean() > 0
    spread = [np.std(curves(talks=talks).sway[:, 0]) for talks in (True, False)]
    assert spread[0] > 1.3 * spread[1]


@pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
def test_blinks_come_every_few_seconds_and_last_a_few_frames(seed: str) -> None:
    moving = curves(seed, 120)
    starts = blink_starts(moving)
    apart = np.diff(starts)
    assert 120 / 6 <= len(starts) <= 120 / 1.8
    assert ((apart > 1.8) & (apart < 6.6) | (apart < 0.75)).all()
    assert moving.closed.max() > 0.95
    assert 5 <= np.count_nonzero(moving.closed > 0.02) / len(starts) <= 13
    assert (moving.closed >= 0).all()


def test_blinks_like_the_ends_of_phrases() -> None:
    starts = np.concatenate([blink_starts(curves(f"{seed}", 120)) for seed in range(8)])
    at_end = ((starts % 4 > 2.9) & (starts % 4 < 3.6)).mean()
    assert at_end > 0.3, "a sixth of the time"


def test_the_poster_and_the_last_frame_have_open_eyes() -> None:
    for seed in range(20):
        for poster in (50, 100, 400):
            closed = curves(f"{seed}", 20, poster=poster).closed
            assert closed[poster] == closed[-1] == 0


def test_one_frame_is_enough() -> None:
    moving = motion_curves(speech_of(0.02), RATE, 1, "a", 0)
    assert moving.sway.shape == (1, 5)
    assert moving.closed[0] == 0


class Darker:
    """An edit of the mouth."""

    def apply(self, frame: Frame) -> None:
        frame.y[250:260, 150:170] //= 2


def mouths(rows: list[bool], weight: float = 1.0) -> Iterator[Mouths]:
    faces = sum(rows)
    to_crop = np.array([[2, 0, -100], [0, 2, -80]], np.float32)
    points = face_points() * 2 - (100, 80, 0)
    yield (
        FaceBatch(
            first_frame=40,
            track=0 if faces else -1,
            present=np.array(rows),
            crops=np.zeros((faces, 8, 8, 3), np.uint8),
            landmarks=np.repeat(points[None].astype(np.float32), faces, axis=0),
            rest=np.zeros((faces, 478, 3), np.float32),
            to_crop=np.repeat(to_crop[None], faces, axis=0),
            weight=np.full(faces, weight, np.float32),
            mels=np.zeros((faces, 80, 0), np.float32),
        ),
        [Darker()] * faces,
    )


def still_motion(seed: str = "a") -> StillMotion:
    return StillMotion(speech_of(4), RATE, 100, poster=33, seed=seed)


def applied(motion: StillMotion, weight: float = 1.0) -> list[Frame]:
    frames = []
    for _, edits in motion.added_to(mouths([True, False, True], weight)):
        for edit in edits:
            frames.append(draw_face())
            edit.apply(frames[-1])
    return frames


def test_every_edit_moves_the_head_to_where_its_frame_is() -> None:
    first, second = applied(still_motion())
    again, _ = applied(still_motion())
    assert np.array_equal(first.y, again.y)
    assert not np.array_equal(first.y, second.y)
    expected = draw_face()
    Darker().apply(expected)
    assert not np.array_equal(first.y, expected.y)
    batch, _ = next(mouths([True, False, True]))
    still_motion().move(expected, 40, batch, 0)
    assert np.array_equal(first.y, expected.y)


def test_a_face_of_no_weight_is_not_moved() -> None:
    closed = motion_curves(speech_of(4), RATE, 100, "a", 33).closed
    assert closed[40] == closed[42] == 0
    expected = draw_face()
    Darker().apply(expected)
    assert all(np.array_equal(frame.y, expected.y) for frame in applied(still_motion(), weight=0.0))


def test_batches_without_a_face_pass() -> None:
    batch, edits = next(still_motion().added_to(mouths([False, False])))
    assert len(batch.present) == 2
    assert not list(edits)
