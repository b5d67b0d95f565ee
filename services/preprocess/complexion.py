"""What is kept of a face's looks while the frame is in hand: colours at fixed points, sharpness, how mouth-like."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.face_picture import FacePicture, nearest_odd, resized
from services.preprocess.lips import LIPS, mouth_colours, mouth_evidence

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
"""Pixels to which a face is reduced before its edges are looked at"""
_PATCH: Final = 0.13
"""Side of the square whose mean is taken, in eye distances"""
_LIPS_MARGIN: Final = 0.15
"""Eye distances beyond the lips within which all of a mouth's colours lie"""
_BLURS: Final = (1.0, 2.0)
_SHARP: Final = 0.016
"""Eye distances; where edges are wider than this, faint lips are lost"""
_EARS, _FOREHEAD, _CHIN_TIP = (234, 454), 10, 152
_LEAST_FACING: Final = 0.2
"""Cosine of the angle to the camera, the head taken for a cylinder between the ears"""


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


def read_colours(face: FacePicture, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(POINTS, 3) RGB, each the mean of a small patch; black where the point lies outside the frame.

    `landmarks` (478, 3) are in the frame's pixels.
    """
    points = mesh_points(landmarks)[:, :2]
    patch = nearest_odd(_PATCH * face.eyes)
    means = cv2.blur(face.rgb, (patch, patch))
    x, y = (face.place(points) - 0.5).astype(np.float32).T[:, None]
    colours = cv2.remap(means, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    outside = ((points < 0) | (points > face.frame_size)).any(axis=1, keepdims=True)
    return np.where(outside, 0, colours).astype(np.uint8)


def read_mouth(face: FacePicture, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The lips.MOUTH_COLOURS of a face with landmarks (478, 3) in the pixels of its frame."""
    points = face.place(landmarks[:, :2])
    left, top, right, bottom = face.box(points[LIPS], _LIPS_MARGIN)
    return mouth_colours(face.rgb[top:bottom, left:right], points - (left, top), face.eyes)


def read_blur(face: FacePicture, landmarks: NDArray[np.float32]) -> float:
    """The width (sigma) of the face's edges in eye distances; noise makes it smaller."""
    left, top, right, bottom = face.box(face.place(mesh_points(landmarks)[:, :2]), _PATCH)
    scale = min(1.0, _EYE_DISTANCE / face.eyes)
    width, height = (max(round(side * scale), 1) for side in (right - left, bottom - top))
    green = np.ascontiguousarray(face.rgb[top:bottom, left:right, 1])
    return edge_width(resized(green, width, height)) / (face.eyes * scale)


def judge_mouths(colours: NDArray[np.uint8], blurs: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) lips.mouth_evidence of mouths with these colours; infinite where a face is too blurred (n,) to tell."""
    return np.where(blurs < _SHARP, mouth_evidence(colours), np.inf)


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
