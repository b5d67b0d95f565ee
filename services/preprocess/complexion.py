"""What is kept of a face's looks while the frame is in hand: colours at fixed points, sharpness, how mouth-like."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.crops import Picture, box_round
from services.preprocess.landmarks import eye_distance
from services.preprocess.lips import mouth_evidence

# Each point lies midway between two of the mesh; the lips' lie midway between their outer and inner edge.
_UPPER_LIP: Final = ((0, 13), (37, 82), (267, 312), (39, 81), (269, 311), (40, 80), (270, 310))
_LOWER_LIP: Final = ((17, 14), (84, 87), (314, 317), (181, 178), (405, 402), (91, 88), (321, 318))
_ABOVE_LIPS: Final = (164, 167, 393, 165, 391, 2)
_CHIN: Final = (18, 200, 199, 83, 313, 182, 406, 194, 418, 201, 421, 208, 428, 204, 424)
_JOWLS: Final = (57, 287, 212, 432, 206, 426, 207, 427, 214, 434, 210, 430, 216, 436, 211, 431)
_UPPER_FACE: Final = (
    50, 280, 101, 330, 118, 347, 36, 266, 205, 425, 6, 197, 195, 5, 198, 420, 151, 9, 108, 337, 123, 352, 187, 411
)  # fmt: skip
_PARTS: Final = (
    _UPPER_LIP,
    _LOWER_LIP,
    *(tuple((index, index) for index in part) for part in (_ABOVE_LIPS, _CHIN, _JOWLS, _UPPER_FACE)),
)
_ENDS: Final = np.cumsum([0, *(len(part) for part in _PARTS)]).tolist()
UPPER_LIP, LOWER_LIP, ABOVE_LIPS, CHIN, JOWLS, UPPER_FACE = (slice(start, stop) for start, stop in pairwise(_ENDS))
LOWER_FACE: Final = slice(0, UPPER_FACE.start)
"""All that moves with the mouth"""
POINTS: Final = _ENDS[-1]
_FIRST, _SECOND = np.array([pair for part in _PARTS for pair in part]).T
_EYE_DISTANCE: Final = 56.0
"""Pixels to which a face is reduced before its colours are taken"""
_PATCH: Final = 0.13
"""Side of the square whose mean is taken, in eye distances"""
_BLURS: Final = (1.0, 2.0)
_SHARP: Final = 0.016
"""Eye distances; where edges are wider than this, faint lips are lost"""
_EARS, _FOREHEAD, _CHIN_TIP = (234, 454), 10, 152
_LEAST_FACING: Final = 0.2
"""Cosine of the angle to the camera, the head taken for a cylinder between the ears"""


@dataclass(frozen=True, slots=True)
class Complexion:
    """How a face looks in one frame."""

    colours: NDArray[np.uint8]
    """(POINTS, 3) RGB, each the mean of a small patch; black where the point lies outside the picture"""
    blur: float
    """The width (sigma) of the face's edges in eye distances; noise makes it smaller"""
    mouth: float
    """As of lips.mouth_evidence; infinite where the picture is too blurred to tell"""


def mesh_points(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., POINTS, 3): where the colours of landmarks (..., 478, 3) are taken."""
    return np.asarray((landmarks[..., _FIRST, :] + landmarks[..., _SECOND, :]) / 2, np.float32)


def facing_points(landmarks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n, POINTS): which points are on the side of the head that the camera sees."""
    out = mesh_points(landmarks) - landmarks[:, _EARS].mean(axis=1, keepdims=True)
    down = landmarks[:, _CHIN_TIP] - landmarks[:, _FOREHEAD]
    down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1.0)
    out -= (out @ down[:, :, None]) * down[:, None]
    return np.asarray(-out[..., 2] > _LEAST_FACING * np.linalg.norm(out, axis=2))


def read_face(picture: Picture, landmarks: NDArray[np.float32]) -> Complexion:
    """Look at a face with landmarks (478, 3) in the pixels of its frame."""
    points, eyes = mesh_points(landmarks)[:, :2], max(eye_distance(landmarks), 1.0)
    size = np.array([picture.width, picture.height])
    box = box_round(points.min(axis=0) - _PATCH * eyes, points.max(axis=0) + _PATCH * eyes, picture)
    low, high = np.array(box[:2]), np.array(box[2:])
    scale = min(1.0, _EYE_DISTANCE / eyes)
    small_size = np.maximum(np.rint((high - low) * scale), 1).astype(int)
    small = picture.rgb_shrunk(*box, (int(small_size[0]), int(small_size[1])), halving=True)
    patch, shrunk = max(1, round(_PATCH * eyes * scale)), small_size / (high - low)
    at = ((points - low) * shrunk - 0.5).astype(np.float32)
    means = cv2.blur(small, (patch, patch))
    colours = cv2.remap(means, at[:, :1], at[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    outside = np.any((points < 0) | (points > size), axis=1, keepdims=True)
    blur = edge_width(small[:, :, 1]) / (eyes * scale)
    mouth = mouth_evidence(small, (landmarks[:, :2] - low) * shrunk, eyes * scale) if blur < _SHARP else np.inf
    return Complexion(np.where(outside, 0, colours[:, 0]).astype(np.uint8), blur, mouth)


def edge_width(channel: NDArray[Any]) -> float:
    """The sigma in pixels of the picture's edges, taken for blurred steps, by how much two more blurs soften them."""
    first, second = (_edge_energy(channel, sigma) for sigma in _BLURS)
    ratio = min(second / max(first, 1e-6), 0.99)
    return float(np.sqrt(max((ratio**2 * _BLURS[1] ** 2 - _BLURS[0] ** 2) / (1 - ratio**2), 0.0)))


def _edge_energy(channel: NDArray[Any], sigma: float) -> float:
    """Mean square of the slopes of a picture that was blurred by `sigma` pixels; a step's falls as its width grows."""
    blurred = cv2.GaussianBlur(channel.astype(np.float32), (0, 0), sigma)
    slopes = (blurred[1:] - blurred[:-1]).ravel(), (blurred[:, 1:] - blurred[:, :-1]).ravel()
    return float(sum(each @ each / max(each.size, 1) for each in slopes))
