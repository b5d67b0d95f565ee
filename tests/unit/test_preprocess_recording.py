"""What is kept of a face frame by frame: its picture lies where it says, and its looks are those of every row."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.complexion import judge_mouths, read_blur, read_mouth
from services.preprocess.face_picture import nearest_odd, take_face
from services.preprocess.faces import LANDMARKS
from services.preprocess.recording import TrackRecording
from tests.shown_picture import ShownPicture

WIDTH, HEIGHT = 1280, 720


def face(eyes: float, middle: tuple[float, float] = (600, 350)) -> NDArray[np.float32]:
    """(478, 3): points strewn over a face whose eyes are so many pixels apart."""
    points = np.random.default_rng(1).uniform((-0.7, -0.5), (0.7, 1.0), (LANDMARKS, 2)) * eyes
    points[[33, 263]] = (-eyes / 2, 0), (eyes / 2, 0)
    points[[2, 152]] = (0, eyes * 0.4), (0, eyes * 1.2)
    return np.column_stack([points + middle, np.zeros(LANDMARKS)]).astype(np.float32)


def waves(index: int = 0) -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 3): colours that change from place to place and from picture to picture."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    parts = [np.sin((x + 7 * index) / 25), np.cos(y / 20 + index), np.sin((x + y) / 30)]
    return (128 + 100 * np.stack(parts, axis=2)).astype(np.uint8)


def squares(seed: int) -> NDArray[np.uint8]:
    """(240, 320, 3): squares in random colours, with edges that are sharp enough, each seed's less."""
    small = np.random.default_rng(seed).integers(0, 255, (15, 20, 3), np.uint8)
    large = cv2.resize(small, (320, 240), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.GaussianBlur(large, (0, 0), 0.6 + 0.05 * seed), np.uint8)


@pytest.mark.parametrize(("eyes", "left"), [(40, 40), (80, 80), (130, 65), (240, 60)])
@pytest.mark.parametrize("middle", [(601.3, 350.8), (90.0, 80.0)])
def test_a_face_picture_is_halved_and_shows_points_where_it_says(
    eyes: float, left: float, middle: tuple[float, float]
) -> None:
    picture, landmarks = waves(), face(eyes, middle)
    shown = take_face(ShownPicture(picture), landmarks)
    assert shown.eyes == pytest.approx(left, rel=0.02)
    inside = landmarks[:, :2].astype(np.float64)
    inside = inside[(inside > 8).all(axis=1)]
    x, y = (shown.place(inside) - 0.5).astype(np.float32).T
    wanted = picture[inside[:, 1].astype(int), inside[:, 0].astype(int)].astype(float)
    apart = np.abs(cv2.remap(shown.rgb, x[None], y[None], cv2.INTER_LINEAR)[0] - wanted)
    assert np.median(apart) < 4


def test_the_lower_face_of_a_face_beside_the_frame_is_not_empty() -> None:
    left, top, right, bottom = take_face(ShownPicture(waves()), face(80, (-300, 900))).lower
    assert left < right
    assert top < bottom


@pytest.mark.parametrize(("length", "side"), [(0.2, 1), (1.9, 1), (2.1, 3), (7.3, 7), (8.1, 9), (8.9, 9)])
def test_a_square_round_a_pixel_has_the_nearest_odd_side(length: float, side: int) -> None:
    assert nearest_odd(length) == side


def test_mouths_are_those_of_their_rows_and_blur_of_each_third(tmp_path: Path) -> None:
    rows, landmarks, recording = 140, face(60, (160, 100)), TrackRecording(tmp_path / "track", 0, longest_gap=3)
    pictures = [ShownPicture(squares(seed)) for seed in range(4)]
    for row in range(rows):
        recording.append(row + 2 * (row > 5), landmarks, pictures[row % 4])
    recording.close()
    faces = [take_face(picture, landmarks) for picture in pictures]
    evidence = judge_mouths(np.array([read_mouth(each, landmarks) for each in faces]), np.zeros(4, np.float32))
    assert len(set(evidence.tolist())) == 4
    # Two rows were filled in before the seventh, with what it showed.
    wanted = np.insert(evidence[np.arange(rows) % 4], 6, [evidence[2]] * 2)
    np.testing.assert_allclose(recording.mouths(), wanted, rtol=1e-5)
    blurs = [read_blur(each, landmarks) for each in faces]
    np.testing.assert_allclose(recording.blurs()[:6], np.repeat([blurs[0], blurs[3]], 3), rtol=1e-5)
    assert blurs[0] != pytest.approx(blurs[3])
