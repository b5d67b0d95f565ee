"""Picks the few frames that show a person's mouth from closed to open, while the frames are in hand."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.crops import Picture
from services.preprocess.landmarks import eye_distance

_OPENING_BINS: Final = (0.03, 0.065, 0.10)
"""Borders between the four kinds of mouth, in eye distances between the inner lips"""
_WIDEST_OPENING: Final = 0.15
"""Mouths that are open wider show no more"""
_SPEAKING: Final = 0.05
"""A mouth whose opening changes more than this speaks, or might as well"""
_YAW_PRICE: Final = 0.3
_MOTION_PRICE: Final = 0.8
"""Of an eye distance that the lips move in a frame: what moves is blurred"""
_LEAST_GAIN: Final = 0.004
_REACH: Final = 1.05
"""Half side of the kept region round the mouth, in eye distances"""
_LARGEST_SIDE: Final = 1024
"""Pixels; as fine as the largest crops"""
_LIPS: Final = (13, 14, 61, 291)


@dataclass(frozen=True, slots=True)
class ReferenceFrame:
    """A region of one frame, kept at native resolution unless that is needlessly high."""

    row: int
    """Row of the track"""
    left: int
    top: int
    """Corner of the region in source pixels"""
    scale: float
    """Region pixels a source pixel"""
    opening: float
    rgb: NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SavedReference:
    """A reference frame whose picture lies in a file as PNG."""

    row: int
    left: int
    top: int
    scale: float
    first_byte: int
    size: int
    """Bytes"""


class ReferenceChoice:
    """The best frame so far for each opening of the mouth."""

    def __init__(self) -> None:
        self._best: dict[int, tuple[float, ReferenceFrame]] = {}
        self._last: tuple[int, NDArray[np.float32]] | None = None
        """The newest row and its lips"""

    def consider(self, row: int, landmarks: NDArray[np.float32], picture: Picture) -> None:
        """Keep this frame if it shows its opening better than the one kept."""
        opening = mouth_opening(landmarks)
        kind = bisect_left(_OPENING_BINS, opening)
        score = _score(kind, opening, frontal_offset(landmarks)) - _MOTION_PRICE * self._motion(row, landmarks)
        if kind in self._best and score < self._best[kind][0] + _LEAST_GAIN:
            return
        self._best[kind] = (score, _keep(row, opening, landmarks, picture))

    def _motion(self, row: int, landmarks: NDArray[np.float32]) -> float:
        """How far the lips came since the row before, in eye distances a row; 0 at a track's first row."""
        lips = landmarks[list(_LIPS), :2]
        before, self._last = self._last, (row, lips)
        if before is None:
            return 0.0
        way = float(np.linalg.norm(lips - before[1], axis=1).max()) / (row - before[0])
        return way / max(eye_distance(landmarks), 1e-3)

    def frames(self) -> list[ReferenceFrame]:
        """At most four frames, from the most closed to the most open mouth."""
        return sorted((reference for _, reference in self._best.values()), key=lambda reference: reference.opening)


def save_references(frames: Sequence[ReferenceFrame], path: Path) -> tuple[SavedReference, ...]:
    """Write the pictures to `path`, one PNG after the other."""
    saved = []
    with path.open("xb") as file:
        for frame in frames:
            _, png = cv2.imencode(".png", frame.rgb[:, :, ::-1])
            saved.append(SavedReference(frame.row, frame.left, frame.top, frame.scale, file.tell(), png.size))
            file.write(png.tobytes())
    return tuple(saved)


def decode_reference(png: bytes) -> NDArray[np.uint8]:
    """(h, w, 3) RGB of a saved picture."""
    bgr = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.asarray(bgr[:, :, ::-1], np.uint8)


def mouth_opening(landmarks: NDArray[np.floating]) -> float:
    """Distance of the inner lips in eye distances."""
    return float(np.linalg.norm(landmarks[13] - landmarks[14])) / max(eye_distance(landmarks), 1e-3)


def speaking_opening(openings: Sequence[float]) -> float:
    """95th percentile of a track's openings, or 0 when they hardly change."""
    closed, open_wide = np.percentile(openings, [5, 95])
    return float(open_wide) if open_wide - closed > _SPEAKING else 0.0


def frontal_offset(landmarks: NDArray[np.floating]) -> float:
    """How far the head is turned away from the camera: 0 frontal, about the tangent of the yaw."""
    across = landmarks[454] - landmarks[234]
    return float(abs(across[2]) / max(float(np.hypot(across[0], across[1])), 1e-3))


def _score(kind: int, opening: float, turned: float) -> float:
    wanted = {0: -opening, len(_OPENING_BINS): min(opening, _WIDEST_OPENING)}.get(kind, 0.0)
    return wanted - _YAW_PRICE * turned


def _keep(row: int, opening: float, landmarks: NDArray[np.float32], picture: Picture) -> ReferenceFrame:
    x, y = landmarks[list(_LIPS), :2].mean(axis=0).tolist()
    reach = _REACH * eye_distance(landmarks)
    left, right = _clipped(x - reach, x + reach, picture.width)
    top, bottom = _clipped(y - reach, y + reach, picture.height)
    rgb = picture.rgb_region(left, top, right, bottom)
    scale = min(1.0, _LARGEST_SIDE / max(rgb.shape[:2]))
    if scale < 1.0:
        size = (max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    return ReferenceFrame(row, left, top, scale, opening, rgb)


def _clipped(low: float, high: float, size: int) -> tuple[int, int]:
    start = int(np.clip(low, 0, size - 1))
    return start, int(np.clip(high, start + 1, size))
