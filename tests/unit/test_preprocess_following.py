"""Looking for faces in several frames at a time: steady ones, ones that start to move, vanish, or are found anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Frame
from services.media.colour import Matrix, Range
from services.preprocess.faces import LANDMARKS
from services.preprocess.following import FRAMES_AT_ONCE, FaceFollower, windows
from services.preprocess.landmarks import LEFT_EYE, RIGHT_EYE, square_of_landmarks
from services.preprocess.recording import TrackRecording

WIDTH, HEIGHT, FACE = 640, 360, 64
Place = tuple[float, float]


class BrightSpots:
    """A net that finds a face where the crop is bright."""

    def __init__(self) -> None:
        self.crops: list[int] = []
        """Of every call"""

    def infer(
        self, _model: str, inputs: Mapping[str, NDArray[np.generic]], _outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        crops = np.asarray(inputs["crop"], np.uint8)
        self.crops.append(len(crops))
        bright = crops[..., 1] > 120
        y, x = np.mgrid[:192, :192] + 0.5
        count = np.maximum(bright.sum(axis=(1, 2)), 1)
        middle = np.stack([(bright * x).sum(axis=(1, 2)), (bright * y).sum(axis=(1, 2))], axis=1) / count[:, None]
        points = np.stack([face_at((float(px), float(py)), 128.0) for px, py in middle])
        is_face = bright.mean(axis=(1, 2)) > 0.1
        return {"landmarks": points, "certainty": np.where(is_face, 30, -30)[:, None]}


def face_at(middle: Place, size: float) -> NDArray[np.float32]:
    """(478, 3) points of an upright face of that size."""
    points = np.zeros((LANDMARKS, 3), np.float32)
    points[:, :2] = np.array(middle) + np.random.default_rng(1).uniform(-0.3, 0.3, (LANDMARKS, 2)) * size
    points[0, :2], points[1, :2] = np.array(middle) - size / 2, np.array(middle) + size / 2
    for eye, across in ((LEFT_EYE, -0.25), (RIGHT_EYE, 0.25)):
        points[eye, :2] = middle[0] + across * size, middle[1] - 0.1 * size
    return points


def picture(index: int, middle: Place | None) -> Frame:
    luma, chroma = np.full((HEIGHT, WIDTH), 16, np.uint8), np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    if middle is not None:
        left, top = round(middle[0] - FACE / 2), round(middle[1] - FACE / 2)
        luma[top : top + FACE, left : left + FACE] = 235
    return Frame(index, luma, chroma, chroma.copy(), 8, Matrix.BT709, Range.LIMITED)


@pytest.fixture
def track(tmp_path: Path) -> Iterator[TrackRecording]:
    """One whose face is in the middle of the picture in frame 0."""
    recording = TrackRecording(tmp_path / "track", 0, 10)
    recording.append(0, face_at((320, 180), FACE), picture(0, (320, 180)))
    yield recording
    recording.close()


def follow(
    track: TrackRecording, middle: Callable[[int], Place | None], frames: int
) -> tuple[list[Place | None], BrightSpots]:
    """Where the face is found in each frame from 1 on, and what the net was asked."""
    net, found = BrightSpots(), list[Place | None]()
    follower = FaceFollower(net)
    for window in windows((picture(index, middle(index)) for index in range(1, frames + 1)), FRAMES_AT_ONCE):
        (landmarks,) = follower.find([track], window)
        if landmarks is None:
            found.append(None)
            break
        track.append(window[0].index, landmarks, window[0])
        place = square_of_landmarks(landmarks)
        found.append((place.x, place.y))
    return found, net


def steadily(index: int) -> Place:
    return 320 + 2.0 * index, 180 - 1.0 * index


def test_a_face_that_moves_steadily_is_looked_for_in_four_frames_at_once(track: TrackRecording) -> None:
    found, net = follow(track, steadily, 40)
    assert found == [pytest.approx(steadily(index), abs=1) for index in range(1, 41)]
    assert max(net.crops) == 4
    assert len(net.crops) <= 15
    assert sum(net.crops) <= 45


def test_a_face_that_starts_to_move_is_looked_at_again_where_it_is(track: TrackRecording) -> None:
    def starts(index: int) -> Place:
        return 320 + 8.0 * max(index - 20, 0), 180.0

    found, net = follow(track, starts, 30)
    assert found == [pytest.approx(starts(index), abs=1) for index in range(1, 31)]
    assert sum(net.crops) > 30


def test_a_face_that_never_moves_as_guessed_costs_half_as_much_again_at_most(track: TrackRecording) -> None:
    trembles = [(320 + x, 180 + y) for x, y in np.random.default_rng(2).uniform(-8, 8, (61, 2))]
    found, net = follow(track, lambda index: trembles[index], 60)
    assert found == [pytest.approx(trembles[index], abs=1.5) for index in range(1, 61)]
    assert sum(net.crops) <= 1.5 * 60 + 1


def test_a_face_is_gone_in_the_frame_that_does_not_show_it(track: TrackRecording) -> None:
    found, _ = follow(track, lambda index: None if index == 18 else (320, 180), 30)
    assert len(found) == 18
    assert found[-1] is None


def test_a_face_that_others_found_elsewhere_begins_anew(track: TrackRecording) -> None:
    net = BrightSpots()
    follower = FaceFollower(net)
    for index in range(1, 8):
        window = [picture(index + ahead, (320, 180)) for ahead in range(4)]
        (landmarks,) = follower.find([track], window)
        assert landmarks is not None
        track.append(index, landmarks, window[0])
    track.append(8, face_at((120, 100), FACE), picture(8, (120, 100)))
    (landmarks,) = follower.find([track], [picture(9 + ahead, (120, 100)) for ahead in range(4)])
    assert landmarks is not None
    assert square_of_landmarks(landmarks).x == pytest.approx(120, abs=1)


def test_two_faces_are_looked_for_in_one_call(track: TrackRecording, tmp_path: Path) -> None:
    other = TrackRecording(tmp_path / "other", 0, 10)
    other.append(0, face_at((320, 180), FACE), picture(0, (320, 180)))
    net = BrightSpots()
    found = FaceFollower(net).find([track, other], [picture(1, (320, 180))])
    other.close()
    assert [each is not None for each in found] == [True, True]
    assert net.crops == [2]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_windows_show_every_frame_first_once(count: int) -> None:
    frames = [picture(index, None) for index in range(count)]
    shown = [[frame.index for frame in window] for window in windows(frames, 4)]
    assert shown == [list(range(index, min(index + 4, count))) for index in range(count)]
