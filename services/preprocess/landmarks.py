"""Landmarks of known faces with the face_landmarks model: where to look, and the way back to the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.preprocess.detection import Detection, Inference

_SIDE: Final = 192
_MARGIN: Final = 1.5
"""Side of the square round a face, in longest sides of its box, as the model was trained with."""
_LEAST_CERTAINTY: Final = 0.0
"""Logit of a face being there"""
_UPRIGHT: Final = 22.0
"""Logit from which no other quarter turn is tried. Measured on 238 detections in pictures that were turned by quarters:
three of four upright faces have more; where another turn was the right one, one had, a face half way between two"""
LEFT_EYE, RIGHT_EYE = 33, 263
"""Outer eye corners, by their side of the image"""
_MESH: Final = 468


@dataclass(frozen=True, slots=True)
class FaceSquare:
    """The turned square of a frame that the model looks at, in source pixels."""

    x: float
    y: float
    side: float
    angle: float
    """Radians, clockwise as seen in the picture"""

    def to_frame(self) -> NDArray[np.float64]:
        """(2, 3) affine crop pixels (0..192) -> frame pixels."""
        scale = self.side / _SIDE
        cosine, sine = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        linear = np.array([[cosine, -sine], [sine, cosine]])
        offset = np.array([self.x, self.y]) - linear @ np.array([_SIDE / 2, _SIDE / 2])
        return np.column_stack([linear, offset])


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What the model says of one square."""

    landmarks: NDArray[np.float32]
    """(478, 3) source pixels"""
    certainty: float
    """Logit of a face being there: of probabilities next to 1 float32 knows no differences"""


def square_of_detection(detection: Detection) -> FaceSquare:
    """Where to look for the landmarks of a face that was just detected."""
    return _square(detection.box, detection.keypoints[0], detection.keypoints[1])


def square_of_landmarks(landmarks: NDArray[np.floating]) -> FaceSquare:
    """Where to look for the face in the next frame, from its landmarks (478, 3) in this one."""
    return _square(box_of_landmarks(landmarks), landmarks[LEFT_EYE, :2], landmarks[RIGHT_EYE, :2])


def box_of_landmarks(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """(4,) left, top, right, bottom of the mesh."""
    across, down = landmarks[:_MESH, 0].copy(), landmarks[:_MESH, 1].copy()  # ten times as fast as rows of two
    return np.array([across.min(), down.min(), across.max(), down.max()], np.float64)


def eye_distance(landmarks: NDArray[np.floating]) -> float:
    """Distance of the outer eye corners in space: pixels that do not shrink when the head turns."""
    return float(np.linalg.norm(landmarks[RIGHT_EYE] - landmarks[LEFT_EYE]))


def find_landmarks(places: Sequence[tuple[Frame, FaceSquare]], triton: Inference) -> list[NDArray[np.float32] | None]:
    """(478, 3) source pixels for every square (z in the same unit, smaller is nearer), None where there is no face.

    At most 16, of one video.
    """
    return [_if_certain(look) for look in _look(places, triton)]


def find_new_landmarks(
    picture: Frame, detections: Sequence[Detection], triton: Inference
) -> list[NDArray[np.float32] | None]:
    """As find_landmarks, for faces just detected: their place is roughly known, and they may lie or stand upside down.

    Whoever is not surely upright is looked at in all four quarter turns: the model is surest of the right one.
    """
    squares = [square_of_detection(detection) for detection in detections]
    looks = _look_twice(picture, squares, triton)
    unsure = [number for number, look in enumerate(looks) if look.certainty < _UPRIGHT]
    turned = [
        replace(squares[number], angle=squares[number].angle + turn * np.pi / 2)
        for number in unsure
        for turn in (1, 2, 3)
    ]
    others = iter(_look_twice(picture, turned, triton))
    for number in unsure:
        looks[number] = max(looks[number], *islice(others, 3), key=lambda look: look.certainty)
    return [_if_certain(look) for look in looks]


def _look_twice(picture: Frame, squares: Sequence[FaceSquare], triton: Inference) -> list[_Look]:
    """A look at every square, and again where that found the face."""
    rough = _look([(picture, square) for square in squares], triton)
    better = [
        square_of_landmarks(look.landmarks) if eye_distance(look.landmarks) >= 1 else square
        for look, square in zip(rough, squares, strict=True)
    ]
    return _look([(picture, square) for square in better], triton)


def _if_certain(look: _Look) -> NDArray[np.float32] | None:
    return look.landmarks if look.certainty >= _LEAST_CERTAINTY else None


def _look(places: Sequence[tuple[Frame, FaceSquare]], triton: Inference) -> list[_Look]:
    """What the model sees in every square."""
    if not places:
        return []
    affines = [square.to_frame() for _, square in places]
    crops = np.stack(
        [frame.rgb_warped(affine, (_SIDE, _SIDE)) for (frame, _), affine in zip(places, affines, strict=True)]
    )
    answer = triton.infer("face_landmarks", {"crop": crops}, ["landmarks", "certainty"])
    found = []
    for row, (affine, (_, square)) in enumerate(zip(affines, places, strict=True)):
        points = answer["landmarks"][row].astype(np.float64)
        placed = np.column_stack([points[:, :2] @ affine[:, :2].T + affine[:, 2], points[:, 2] * square.side / _SIDE])
        found.append(_Look(placed.astype(np.float32), float(answer["certainty"][row, 0])))
    return found


def _square(box: NDArray[np.floating], left_eye: NDArray[np.floating], right_eye: NDArray[np.floating]) -> FaceSquare:
    x, y = (box[:2] + box[2:]) / 2
    across = right_eye - left_eye
    return FaceSquare(
        x=float(x),
        y=float(y),
        side=float(max(box[2] - box[0], box[3] - box[1])) * _MARGIN,
        angle=float(np.arctan2(across[1], across[0])),
    )
