"""Follows the skin round a mouth from frame to frame, and corrects the landmarks of its lips by what it sees.

The mesh knows how open a mouth is, but not exactly where its lips and its chin are: laid back to rest by the mesh
alone, the skin of somebody who talks would go on moving. So every frame's skin is registered to a picture of the
resting skin, which the frames beside it have made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.pose import TrackMotion
from services.preprocess.runs import Run
from services.preprocess.skin import SkinPicture, read_skin
from services.preprocess.skin_field import (
    ACROSS,
    CHANGES_ACROSS,
    OUTLINE_POINTS,
    Array,
    gap_of,
    outline_changes,
    outline_of,
    shifted,
    skin_field,
)

Floats = NDArray[np.float32]

_ROUNDS: Final = 4
_SETTLED: Final = 1e-3
"""Face units; a step below this ends the search"""
_PLACES: Final = 15.0
"""So many places tell as much as one that has no neighbours and a field that fits"""
_NEWEST: Final = 0.15
"""Share of a frame in the picture of the resting skin: light and turns change it slowly"""
_MOST: Final = 3.0
"""Deviations by which the mesh may be mistaken"""
_LEAST_SPREAD: Final = 1.0
"""Grey levels"""
_PARTED: Final = (0.01, 0.05)
"""Face units between the inner lips: up to the first they are shut, from the second on open"""
_BLUR: Final = 0.7


def follow_skin(landmarks: Floats, skin: BinaryIO, runs: Sequence[Run], motion: TrackMotion, believed: Array) -> None:
    """Correct a track's landmarks (rows, 478, 3) in place, where the mouth can be seen: `believed` above one half."""
    follower, landmarks = _Follower(motion), np.asarray(landmarks)  # every slice of a memory map is dear
    for run in runs:
        rows = np.arange(run.first_row, run.first_row + run.rows)
        start = int(np.argmax(motion.still[rows]))
        for way in (rows[start:], rows[: start + 1][::-1]):
            follower.restart()
            for row in way[believed[way] > 0.5].tolist():
                picture = read_skin(skin, row)
                if picture is not None:
                    landmarks[row] = follower.corrected(row, landmarks[row], picture)


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """One frame's skin."""

    grey: Floats
    """(h, w, 3) the picture, and its slopes across and down"""
    from_face: Floats
    """(2, 3) affine face units -> its pixels"""


class _Follower:
    """The resting skin of one track, and how it is found again in a frame."""

    def __init__(self, motion: TrackMotion) -> None:
        self._motion = motion
        self._rest = motion.neutral[OUTLINE_POINTS]
        self._field = skin_field(motion.neutral)
        self._changes, self._deviations = outline_changes(motion.neutral)
        self._prior = np.diag(self._deviations**-2)
        self._to_face = np.linalg.inv(motion.pose[:, :2, :2])
        changes = self._changes.astype(np.float32)
        self._across = changes[:CHANGES_ACROSS, :ACROSS] @ self._field.across.T
        self._down = changes[CHANGES_ACROSS:, ACROSS:] @ self._field.down.T
        self._resting: Floats | None = None
        self._amounts = np.zeros(len(self._deviations))
        """Of each change in the frame before: from one to the next a mesh is mistaken much alike"""

    def restart(self) -> None:
        """Forget the resting skin: the next frame shows it as the mesh says."""
        self._resting, self._amounts = None, np.zeros(len(self._deviations))

    def corrected(self, row: int, landmarks: Floats, picture: SkinPicture) -> Floats:
        """The row's landmarks (478, 3), and from now on the resting skin knows of them."""
        pose = self._motion.pose[row]
        linear, offset, to_face = pose[:2, :2], pose[:2, 3], self._to_face[row]
        outline = (landmarks[OUTLINE_POINTS, :2] - offset) @ to_face.T
        at_rest = self._rest[:, :2] + self._rest[:, 2:] * (to_face @ pose[:2, 2])
        look = _look(picture, linear, offset)
        places = self._places(outline_of(outline - at_rest).astype(np.float32))
        if self._resting is None:
            self._resting = _seen(look, places)[0]
            return landmarks
        self._amounts, seen = self._registered(look, places, self._resting)
        self._resting = self._resting + _NEWEST * (seen - self._resting)
        correction = self._amounts @ self._changes
        # Lips that touch have one edge in common; there is no skin to tell more.
        parted = min(max((gap_of(outline) - _PARTED[0]) / (_PARTED[1] - _PARTED[0]), 0), 1)
        # A mouth at rest keeps its own shape: there is nothing to lay back.
        return shifted(landmarks, (1 - self._motion.still[row]) * correction, linear, parted)

    def _places(self, change: Floats) -> Floats:
        """(2, n) where the skin is when the outline changes by `change` (OUTLINE,)."""
        moved = np.stack([self._field.across @ change[:ACROSS], self._field.down @ change[ACROSS:]])
        return moved + self._field.places.T

    def _moved(self, amounts: Array) -> Floats:
        """(2, n) by how much so much of each change displaces the places."""
        exact = amounts.astype(np.float32)
        return np.stack([exact[:CHANGES_ACROSS] @ self._across, exact[CHANGES_ACROSS:] @ self._down])

    def _registered(self, look: _Look, places: Floats, resting: Floats) -> tuple[Array, Floats]:
        """(k,) how much of each change makes the skin fit, by Gauss-Newton, and (n,) the skin that is then seen.

        Places that do not fit count less.

        From what the frame before needed, two or three rounds come ten times as near to the end as four from nothing.
        """
        amounts, most = self._amounts, _MOST * self._deviations
        for _ in range(_ROUNDS):
            seen, slopes = _seen(look, places + self._moved(amounts))
            off = seen - resting
            off -= _median(off)
            spread = 1.4826 * float(_median(np.abs(off))) + _LEAST_SPREAD
            trust = 1 / (1 + np.square(off / (2 * spread))) / (spread**2 * _PLACES)
            turns = np.concatenate([self._across * slopes[0], self._down * slopes[1]])
            trusted = turns * trust
            step = np.linalg.solve(trusted @ turns.T + self._prior, -(trusted @ off) - self._prior @ amounts)
            before, amounts = amounts, (amounts + step).clip(-most, most)
            if np.abs(amounts - before).max() < _SETTLED:
                break
        # The last step is small: slopes tell well enough what is seen behind it.
        return amounts, seen + (amounts - before).astype(np.float32) @ turns


def _seen(look: _Look, places: Floats) -> tuple[Floats, Floats]:
    """(n,) grey levels and (2, n) slopes in face units of the skin at places (2, n) in face units."""
    at = look.from_face[:, :2] @ places + look.from_face[:, 2:]
    # One row of places is looked up faster than one column.
    shown = cv2.remap(look.grey, at[:1], at[1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = np.asarray(shown[0], np.float32)
    return seen[:, 0], np.asarray(look.from_face[:, :2].T @ seen[:, 1:].T, np.float32)


def _look(picture: SkinPicture, linear: Array, offset: Array) -> _Look:
    """The picture of a face whose affine to the frame has this linear part and offset."""
    grey = cv2.GaussianBlur(picture.grey.astype(np.float32), (0, 0), _BLUR)
    slopes = [cv2.Sobel(grey, cv2.CV_32F, across, 1 - across, scale=1 / 8) for across in (1, 0)]
    to_picture = picture.from_frame[:, :2]
    # Pixels are continuous, and OpenCV's centres whole numbers.
    first = to_picture @ offset + picture.from_frame[:, 2] - 0.5
    from_face = np.column_stack([to_picture @ linear, first]).astype(np.float32)
    return _Look(np.asarray(cv2.merge([grey, *slopes]), np.float32), from_face)


def _median(values: Floats) -> np.float32:
    """As np.median of one axis, which looks for NaN and takes five times as long; of two in the middle the larger."""
    middle = len(values) // 2
    return np.float32(np.partition(values, middle)[middle])
