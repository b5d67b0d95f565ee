"""Following faces over frames: lost, found again, cut, crowded, jumping; the models are played by a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Frame
from services.media.colour import Matrix, Range
from services.preprocess.cuts import Cut
from services.preprocess.faces import LANDMARKS
from services.preprocess.following import FRAMES_AT_ONCE, windows
from services.preprocess.recording import ROW_BYTES, TrackRecording
from services.preprocess.tracking import FaceTracker

WIDTH, HEIGHT = 640, 360
NO_CUTS: Mapping[int, Cut] = {}
Box = tuple[float, float, float, float]
Follow = Callable[..., tuple[list[TrackRecording], "ScriptedModels", tuple[int, ...]]]


def face_points() -> NDArray[np.float32]:
    """(478, 3) in a 192 crop: a face that fills two thirds of it, so that squares keep their size."""
    points = np.random.default_rng(1).uniform(40, 152, (LANDMARKS, 3)).astype(np.float32)
    points[0, :2], points[1, :2] = (32, 32), (160, 160)
    points[33], points[263] = (64, 80, 0), (128, 80, 0)
    return points


class ScriptedModels:
    """Finds what `faces(frame)` gives: boxes in source pixels. A face is present where a box covers the crop."""

    def __init__(self, faces: Callable[[int], Sequence[Box]]) -> None:
        self.faces = faces
        self.frame = 0
        self.detections: list[int] = []

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        if model == "face_detection":
            return self._detect(len(inputs["image"]))
        crops = inputs["crop"]
        # The picture is white where a face is: a crop of mostly white looks at one.
        certain = np.array([[30 if crop.mean() > 60 else -30] for crop in crops], np.float32)
        return {"landmarks": np.repeat(face_points()[None], len(crops), axis=0), "certainty": certain}

    def _detect(self, views: int) -> dict[str, NDArray[np.generic]]:
        if views == 1:
            self.detections.append(self.frame)
        boxes, scores = np.zeros((views, 32, 4), np.float32), np.zeros((views, 32), np.float32)
        keypoints = np.zeros((views, 32, 6, 2), np.float32)
        for index, (left, top, right, bottom) in enumerate(self.faces(self.frame) if views == 1 else ()):
            corner = np.array([0, (HEIGHT - WIDTH) / 2] * 2)
            boxes[0, index] = (np.array([left, top, right, bottom]) - corner) / WIDTH
            scores[0, index] = 0.9
            keypoints[0, index, 0], keypoints[0, index, 1] = boxes[0, index, :2], boxes[0, index, [2, 1]]
        return {"boxes": boxes, "keypoints": keypoints, "scores": scores}


def picture(index: int, faces: Sequence[Box]) -> Frame:
    luma = np.full((HEIGHT, WIDTH), 16, np.uint8)
    for left, top, right, bottom in faces:
        luma[int(top) : int(bottom), int(left) : int(right)] = 235
    chroma = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return Frame(index, luma, chroma, chroma.copy(), 8, Matrix.BT709, Range.LIMITED)


@pytest.fixture
def follow(tmp_path: Path) -> Follow:
    """Runs a tracker over a script: the tracks, the models, the shots."""

    def run(
        faces: Callable[[int], Sequence[Box]], frames: int, cuts: Mapping[int, Cut] = NO_CUTS, rate: int = 25
    ) -> tuple[list[TrackRecording], ScriptedModels, tuple[int, ...]]:
        models = ScriptedModels(faces)
        tracker = FaceTracker(models, tmp_path, Fraction(rate))
        pictures = (picture(index, faces(index)) for index in range(frames))
        for frame, *later in windows(pictures, FRAMES_AT_ONCE):
            models.frame = frame.index
            tracker.follow(frame, cuts.get(frame.index, Cut.NONE), later)
        tracks = tracker.finish(frames)
        for track in tracks:
            assert track.path.stat().st_size == track.rows * ROW_BYTES
        return tracks, models, tracker.shots

    return run


ONE: Box = (200, 100, 300, 200)
OTHER: Box = (420, 100, 520, 200)


def spans(track: TrackRecording) -> list[tuple[int, int]]:
    return [(run.first_frame, run.last_frame) for run in track.runs]


def test_one_face_is_one_track_and_is_looked_for_sparsely(follow: Follow) -> None:
    (track,), models, shots = follow(lambda _: [ONE], 60)
    assert spans(track) == [(0, 59)]
    assert shots == (0,)
    assert models.detections == [0, 10, 20, 30, 40, 50]
    assert track.median_box() == pytest.approx((200, 100, 300, 200), abs=1)


@pytest.mark.parametrize(("rate", "wait"), [(60, 24), (50, 20), (10, 4), (1, 1)])
def test_others_are_looked_for_as_often_at_every_rate(follow: Follow, rate: int, wait: int) -> None:
    _, models, _ = follow(lambda _: [ONE], 3 * wait, rate=rate)
    assert models.detections == [0, wait, 2 * wait]


def test_short_gap_is_filled(follow: Follow) -> None:
    (track,), _, _ = follow(lambda frame: [] if 20 <= frame < 27 else [ONE], 50)
    assert spans(track) == [(0, 49)]


def test_long_gap_splits_the_track_into_runs(follow: Follow) -> None:
    (track,), _, _ = follow(lambda frame: [] if 20 <= frame < 40 else [ONE], 70)
    assert track.runs[0].last_frame == 19
    assert 40 <= track.runs[1].first_frame <= 43
    assert track.runs[1].first_row == 20
    assert track.runs[1].last_frame == 69


def test_cut_starts_a_new_track(follow: Follow) -> None:
    tracks, _, shots = follow(lambda _: [ONE], 40, cuts={15: Cut.SURE})
    assert [spans(track) for track in tracks] == [[(0, 14)], [(15, 39)]]
    assert [track.shot for track in tracks] == [0, 1]
    assert shots == (0, 15)


def test_possible_cut_is_none_when_the_face_goes_on(follow: Follow) -> None:
    (track,), _, shots = follow(lambda _: [ONE], 40, cuts={15: Cut.POSSIBLE})
    assert spans(track) == [(0, 39)]
    assert shots == (0,)


def test_possible_cut_is_one_when_nobody_is_there(follow: Follow) -> None:
    _, _, shots = follow(lambda _: [], 40, cuts={15: Cut.POSSIBLE})
    assert shots == (0, 15)


def test_two_faces_are_two_tracks(follow: Follow) -> None:
    tracks, _, _ = follow(lambda frame: [ONE, OTHER] if frame >= 12 else [ONE], 40)
    assert spans(tracks[0]) == [(0, 39)]
    assert spans(tracks[1])[0][0] == 20
    assert len(tracks) == 2


def test_face_elsewhere_after_a_gap_is_another_track(follow: Follow) -> None:
    tracks, _, _ = follow(lambda frame: [ONE] if frame < 20 else [OTHER], 40)
    assert [track.median_box()[0] for track in tracks] == pytest.approx([200, 420], abs=1)


def test_at_most_four_faces_are_followed(follow: Follow) -> None:
    boxes = [(20.0 + 100 * index, 100.0, 90.0 + 100 * index, 170.0) for index in range(6)]
    tracks, _, _ = follow(lambda _: boxes, 20)
    assert len(tracks) == 4


def test_faces_of_a_moment_are_dropped(follow: Follow) -> None:
    tracks, _, _ = follow(lambda frame: [ONE] if frame < 3 else [], 40)
    assert tracks == []


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_videos_keep_their_face(follow: Follow, frames: int) -> None:
    (track,), _, _ = follow(lambda _: [ONE], frames)
    assert spans(track) == [(0, frames - 1)]


def test_no_face_is_no_track(follow: Follow) -> None:
    tracks, models, _ = follow(lambda _: [], 30)
    assert tracks == []
    assert len(models.detections) >= 10


def test_references_are_kept_with_the_track(follow: Follow) -> None:
    (track,), _, _ = follow(lambda _: [ONE], 10)
    assert 1 <= len(track.references) <= 4
    assert track.pictures.stat().st_size == sum(reference.size for reference in track.references)
