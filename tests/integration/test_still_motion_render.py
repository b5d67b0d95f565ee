"""A photo rendered from end to end: its head moves and its eyes blink, or only its mouth moves if that is wanted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.jobs.options import RenderOptions
from services.media import Frame
from tests.announcement import announcement
from tests.integration.test_render_job import SAMPLES, Studio, frames_of, studio
from tests.quality.face_meter import FaceMeter
from tests.quality.onnx_models import OnnxModels

__all__ = ["studio"]

SECONDS, FRAMES = 4, 100
NOSE, EYES = 1, [33, 263]
Faces = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Landmarks with the motion and without"""


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    picture = cv2.imread(str(SAMPLES / "portrait.jpg"))
    assert picture is not None
    cv2.imwrite(str(path), cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return path


@pytest.fixture(scope="module")
def sentence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return announcement(tmp_path_factory.mktemp("sentence") / "sentence.wav", SECONDS)


def rendered(studio: Studio, photo: Path, sentence: Path, *, still_motion: bool) -> list[Frame]:
    options = RenderOptions(crf=0, preset="ultrafast", still_motion=still_motion)
    return frames_of(studio.render(photo, sentence, options)[1], FRAMES)


@pytest.fixture(scope="module")
def alive(studio: Studio, photo: Path, sentence: Path) -> list[Frame]:
    return rendered(studio, photo, sentence, still_motion=True)


@pytest.fixture(scope="module")
def still(studio: Studio, photo: Path, sentence: Path) -> list[Frame]:
    return rendered(studio, photo, sentence, still_motion=False)


@pytest.fixture(scope="module")
def faces(alive: list[Frame], still: list[Frame]) -> Faces:
    return landmarks_of(alive), landmarks_of(still)


def landmarks_of(frames: list[Frame]) -> NDArray[np.float32]:
    """(frames, 478, 2) pixels."""
    meter = FaceMeter(OnnxModels())
    return np.array([meter.measure(frame)[:, :2] for frame in frames])


def test_without_it_only_the_mouth_moves(still: list[Frame], photo: Path) -> None:
    (source,) = frames_of(photo, 1)
    points = landmarks_of([source])[0]
    outside = np.ones(source.y.shape, np.bool_)
    left, right = points[[234, 454], 0].astype(int)
    outside[int(points[NOSE, 1]) - 10 :, left - 20 : right + 20] = False
    for frame in still:
        assert np.array_equal(frame.y[outside], source.y[outside])


def test_the_edges_of_the_picture_do_not_move(alive: list[Frame], photo: Path) -> None:
    (source,) = frames_of(photo, 1)
    for frame in alive:
        changed = np.not_equal(frame.y, source.y)
        for edge in (changed[:4], changed[-4:], changed[:, :4], changed[:, -4:]):
            assert not edge.any()


def test_the_head_moves_a_little(faces: Faces) -> None:
    moved, at_rest = faces
    unit = float(np.linalg.norm(at_rest[0, EYES[1]] - at_rest[0, EYES[0]]))
    path = np.linalg.norm(moved[:, NOSE] - at_rest[:, NOSE], axis=1) / unit
    assert 0.01 < path.max() < 0.08
    assert np.linalg.norm(np.diff(moved[:, NOSE], axis=0), axis=1).max() / unit < 0.03, "no jump"


def test_the_mouth_follows_the_speech_all_the_same(faces: Faces) -> None:
    moved, at_rest = (np.linalg.norm(points[:, 13] - points[:, 14], axis=1) for points in faces)
    assert np.ptp(at_rest) > 3
    assert np.corrcoef(moved, at_rest)[0, 1] > 0.95


def test_the_eyes_blink(faces: Faces) -> None:
    moved, at_rest = map(eye_heights, faces)
    assert moved.min() < 0.5 * np.median(at_rest)
    assert np.median(moved) == pytest.approx(np.median(at_rest), rel=0.15)
    assert at_rest.min() > 0.8 * np.median(at_rest)


def eye_heights(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(frames,) between the lids, over both eyes."""
    return np.asarray(np.linalg.norm(points[:, [159, 386]] - points[:, [145, 374]], axis=2).mean(axis=1))


def test_the_same_job_gives_the_same_pictures(alive: list[Frame], studio: Studio, photo: Path, sentence: Path) -> None:
    for first, again in zip(alive, rendered(studio, photo, sentence, still_motion=True), strict=True):
        assert all(np.array_equal(*planes) for planes in zip(first.planes, again.planes, strict=True))
