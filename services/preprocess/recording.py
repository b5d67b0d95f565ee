"""One track while it is followed: landmark rows on disk, its runs of frames, its looks."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.preprocess.complexion import POINTS, judge_mouths, read_blur, read_colours, read_mouth
from services.preprocess.crops import Picture
from services.preprocess.face_picture import take_face
from services.preprocess.faces import LANDMARKS
from services.preprocess.landmarks import box_of_landmarks, eye_distance
from services.preprocess.lips import MOUTH_COLOURS
from services.preprocess.references import ReferenceChoice, SavedReference, save_references
from services.preprocess.runs import Run
from services.preprocess.skin import append_skin

ROW_BYTES: Final = LANDMARKS * 3 * 4
_BLUR_EVERY: Final = 3
"""Frames from one look at how sharp a face is to the next: what it tells counts as the median of nine rows"""
_JUDGED_TOGETHER: Final = 128
"""Mouths, which takes hardly longer than one"""


class TrackRecording:
    """Appends one row of landmarks a frame, and fills gaps of up to `longest_gap` frames between two rows."""

    def __init__(self, path: Path, shot: int, longest_gap: int, *, keep_references: bool = True) -> None:
        """`path` must not exist yet; the folder's owner removes it. Without `keep_references` there are none."""
        self.path = path
        self.pictures = path.with_suffix(".png")
        """After `close`: the reference frames, one PNG after the other"""
        self.skin = path.with_suffix(".skin")
        """After `close`: the skin pictures of all rows"""
        self.shot = shot
        self.runs: list[Run] = []
        self.references: tuple[SavedReference, ...] = ()
        """After `close`: the frames that show the mouth from closed to open"""
        self.last = np.zeros((LANDMARKS, 3), np.float32)
        """Landmarks of the newest row"""
        self._longest_gap = longest_gap
        self._file = path.open("xb")
        self._skin_file = self.skin.open("xb")
        self._choice = ReferenceChoice() if keep_references else None
        self._boxes = array("f")
        self._eye_distances = array("f")
        self._colours = bytearray()
        self._blurs = array("f")
        self._mouths = array("f")
        self._mouth_colours = bytearray()
        """Of the newest rows"""
        self._blur, self._next_blur = 0.0, 0

    @property
    def rows(self) -> int:
        """Rows written so far."""
        return self.runs[-1].first_row + self.runs[-1].rows if self.runs else 0

    @property
    def last_frame(self) -> int:
        """Frame of the newest row."""
        return self.runs[-1].last_frame

    def append(self, frame: int, landmarks: NDArray[np.float32], picture: Picture) -> None:
        """Add the face at `frame`, which is later than every row before; source pixels."""
        if self.runs and frame - self.last_frame - 1 <= self._longest_gap:
            between = filled_gap(self.last, landmarks, frame - self.last_frame - 1)
            self.runs[-1] = replace(self.runs[-1], rows=self.runs[-1].rows + len(between) + 1)
        else:
            between = landmarks[:0]
            self.runs.append(Run(first_frame=frame, first_row=self.rows, rows=1))
        self._file.write(between.astype("<f4").tobytes())
        self._file.write(landmarks.astype("<f4").tobytes())
        face = take_face(picture, landmarks)
        append_skin(self._skin_file, face, missing=len(between))
        self._colours += bytes(len(between) * POINTS * 3) + read_colours(face, landmarks).tobytes()
        if frame >= self._next_blur:
            self._blur, self._next_blur = read_blur(face, landmarks), frame + _BLUR_EVERY
        self._blurs.extend([self._blur] * (len(between) + 1))
        self._mouth_colours += read_mouth(face, landmarks).tobytes() * (len(between) + 1)
        if len(self._mouth_colours) >= _JUDGED_TOGETHER * math.prod(MOUTH_COLOURS):
            self._judge_mouths()
        self._boxes.extend(box_of_landmarks(landmarks).tolist())
        self._eye_distances.append(eye_distance(landmarks))
        if self._choice is not None:
            self._choice.consider(self.rows - 1, landmarks, picture)
        self.last = landmarks

    def close(self) -> None:
        """Flush the rows and the reference frames; nothing is appended afterwards."""
        self._file.close()
        self._skin_file.close()
        self._judge_mouths()
        self.references = save_references(self._choice.frames() if self._choice else [], self.pictures)
        self._choice = None

    def _judge_mouths(self) -> None:
        colours = np.frombuffer(bytes(self._mouth_colours), np.uint8).reshape(-1, *MOUTH_COLOURS)
        blurs = np.array(self._blurs[len(self._mouths) :], np.float32)
        self._mouths.extend(judge_mouths(colours, blurs).tolist())
        self._mouth_colours.clear()

    def colours(self) -> NDArray[np.uint8]:
        """(rows, POINTS, 3) of every row, zeros in a gap that was filled; see complexion.py."""
        return np.frombuffer(self._colours, np.uint8).reshape(-1, POINTS, 3)

    def blurs(self) -> NDArray[np.float64]:
        """(rows,) widths of the face's edges in eye distances."""
        return np.frombuffer(self._blurs, np.float32).astype(np.float64)

    def mouths(self) -> NDArray[np.float64]:
        """(rows,) of a closed recording: how much like a mouth the picture is; see complexion.judge_mouths."""
        return np.frombuffer(self._mouths, np.float32).astype(np.float64)

    def drop_references(self, hidden: NDArray[np.bool_]) -> None:
        """Forget the reference frames of a closed recording that do not show the mouth, unless none of them does."""
        self.references = tuple(kept for kept in self.references if not hidden[kept.row]) or self.references

    def remove(self) -> None:
        """Delete the files of a closed recording."""
        self.path.unlink()
        self.pictures.unlink()
        self.skin.unlink()

    def median_box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in source pixels."""
        boxes = np.frombuffer(self._boxes, np.float32).reshape(-1, 4)
        left, top, right, bottom = np.median(boxes, axis=0).tolist()
        return left, top, right, bottom

    def median_eye_distance(self) -> float:
        """Source pixels."""
        return float(np.median(np.frombuffer(self._eye_distances, np.float32)))


def filled_gap(before: NDArray[np.float32], after: NDArray[np.float32], missing: int) -> NDArray[np.float32]:
    """(missing, 478, 3): the landmarks of the frames between two known ones, on straight lines."""
    if not missing:
        return np.empty((0, *before.shape), np.float32)
    shares = (np.arange(1, missing + 1, dtype=np.float32) / (missing + 1))[:, None, None]
    return np.asarray(before + (after - before) * shares, np.float32)
