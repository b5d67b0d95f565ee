"""face_detection and face_landmarks on a real face: the sample portrait."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
SIDE = 192
LIPS = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375]
FACE_OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152]
FACE_OVAL += [148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float32]


def open_model(name: str) -> onnxruntime.InferenceSession:
    path = ROOT / "model_repository" / name / "1" / "model.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def portrait() -> Pixels:
    """The portrait on a square, RGB."""
    read = cv2.imread(str(ROOT / "samples/portrait.jpg"))
    assert read is not None
    picture = read[..., ::-1]
    side = max(picture.shape[:2])
    square = np.zeros((side, side, 3), np.uint8)
    square[: picture.shape[0], : picture.shape[1]] = picture
    return square


@pytest.fixture(scope="module")
def detection() -> onnxruntime.InferenceSession:
    return open_model("face_detection")


def detect(session: onnxruntime.InferenceSession, picture: Pixels) -> tuple[Numbers, Numbers, Numbers]:
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    boxes, keypoints, scores = session.run(None, {"image": small[None]})
    return boxes[0], keypoints[0], scores[0]


def face_crop(box: Numbers, picture: Pixels) -> Pixels:
    """The box, half as large again, as a crop of 192 pixels."""
    left, top, right, bottom = box * len(picture)
    scale = SIDE / (1.5 * max(right - left, bottom - top))
    centre = np.array([left + right, top + bottom]) / 2
    affine = np.array([[scale, 0, SIDE / 2], [0, scale, SIDE / 2]])
    affine[:, 2] -= scale * centre
    return np.asarray(cv2.warpAffine(picture, affine, (SIDE, SIDE)), np.uint8)


def test_detection_finds_the_face_and_orders_by_score(
    detection: onnxruntime.InferenceSession, portrait: Pixels
) -> None:
    boxes, keypoints, scores = detect(detection, portrait)
    assert scores[0] > 0.6
    assert (np.diff(scores) <= 0).all()
    left, top, right, bottom = boxes[0]
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    right_eye, left_eye, nose, mouth = keypoints[0, :4]
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < mouth[1]
    assert left < nose[0] < right
    assert top < nose[1] < bottom


def test_detection_follows_a_mirrored_picture(detection: onnxruntime.InferenceSession, portrait: Pixels) -> None:
    boxes, _, _ = detect(detection, portrait)
    mirrored, _, scores = detect(detection, np.ascontiguousarray(portrait[:, ::-1]))
    assert scores[0] > 0.6
    assert mirrored[0, [2, 1, 0, 3]] == pytest.approx(np.abs([1, 0, 1, 0] - boxes[0]), abs=0.03)


def test_detection_finds_nothing_in_noise(detection: onnxruntime.InferenceSession) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    _, _, scores = detection.run(None, {"image": noise})
    assert scores.max() < 0.3


def test_landmarks_put_lips_inside_the_face_and_irises_into_the_eyes(
    detection: onnxruntime.InferenceSession, portrait: Pixels
) -> None:
    boxes, _, _ = detect(detection, portrait)
    crop = face_crop(boxes[0], portrait)
    landmarks, presence, certainty = open_model("face_landmarks").run(None, {"crop": crop[None]})
    points = landmarks[0]
    assert presence[0, 0] > 0.9
    assert certainty[0, 0] > 10
    assert ((points[:, :2] > 0) & (points[:, :2] < SIDE)).all()
    oval = points[FACE_OVAL, :2].reshape(-1, 1, 2)
    assert all(cv2.pointPolygonTest(oval, (float(x), float(y)), False) > 0 for x, y in points[LIPS, :2])
    for iris, corners in ((468, (33, 133)), (473, (362, 263))):
        outer, inner = sorted(points[list(corners), 0])
        assert outer < points[iris, 0] < inner
    nose, ear = 1, 234
    assert points[nose, 2] < points[ear, 2]


def test_landmarks_of_a_batch_are_those_of_its_rows(detection: onnxruntime.InferenceSession, portrait: Pixels) -> None:
    boxes, _, _ = detect(detection, portrait)
    crop = face_crop(boxes[0], portrait)
    crops = np.stack([crop, crop[:, ::-1], np.roll(crop, 5, axis=0)])
    session = open_model("face_landmarks")
    together = session.run(None, {"crop": crops})[0]
    alone = [session.run(None, {"crop": one[None]})[0][0] for one in crops]
    assert together == pytest.approx(np.stack(alone), abs=1e-2)


def test_presence_tells_a_face_from_none() -> None:
    empty = np.full((1, SIDE, SIDE, 3), 90, np.uint8)
    _, presence, certainty = open_model("face_landmarks").run(None, {"crop": empty})
    assert presence[0, 0] < 0.5
    assert certainty[0, 0] < 0
