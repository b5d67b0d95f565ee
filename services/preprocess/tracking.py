"""Keeps the tracks of up to four faces of a video: landmarks every frame, detection now and then."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final, TypeGuard

import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.preprocess.cuts import Cut
from services.preprocess.detection import (
    Detection,
    Inference,
    View,
    detect,
    overlap,
    tile_views,
    turned_views,
    whole_view,
)
from services.preprocess.following import FaceFollower
from services.preprocess.landmarks import (
    box_of_landmarks,
    eye_distance,
    find_new_landmarks,
)
from services.preprocess.recording import TrackRecording

_MOST_FACES: Final = 4
_DETECT_SECONDS, _DETECT_SECONDS_WHEN_LOST = Fraction(2, 5), Fraction(3, 25)
"""From one look for faces that nobody follows to the next"""
_LONGEST_GAP_SECONDS: Final = Fraction(2, 5)
_LEAST_EYE_DISTANCE: Final = 12.0
"""Pixels; smaller faces have no mouth to speak of"""
_SAME_FACE: Final = 0.3
"""Overlap of boxes from which two of one frame are one face"""
_SAME_TRACK: Final = 0.1
"""Overlap of boxes from which a face that comes back is the one that was lost"""
_JUMP: Final = 0.6
"""Eye distances that no head moves within a frame: a jump cut that the picture's change did not give away"""
_JUMP_AT_POSSIBLE_CUT: Final = 0.25
_GROWTH_AT_JUMP: Final = 0.25
"""A face that changes its size by so much, times the jump's limit, jumped too: a punch-in"""
_STABLE: Final = (1, 4, 33, 133, 168, 263, 362)
_LEAST_ROWS: Final = 5


class FaceTracker:
    """The faces of one video; frames come in order, each once."""

    def __init__(self, triton: Inference, folder: Path, frame_rate: Fraction, *, keep_references: bool = True) -> None:
        """Landmarks go to files in `folder`, which the caller owns; without `keep_references` tracks have none."""
        self._keep_references = keep_references
        self._triton = triton
        self._follower = FaceFollower(triton)
        self._folder = folder
        self._longest_gap = int(_LONGEST_GAP_SECONDS * frame_rate)
        self._wait, self._wait_when_lost = (
            max(round(seconds * frame_rate), 1) for seconds in (_DETECT_SECONDS, _DETECT_SECONDS_WHEN_LOST)
        )
        self._live: list[TrackRecording] = []
        self._lost: list[TrackRecording] = []
        self._kept: list[TrackRecording] = []
        self._shots: list[int] = [0]
        self._next_file = 0
        self._last_detection: int | None = None
        self._last_close_look: int | None = None

    @property
    def shots(self) -> tuple[int, ...]:
        """First frame of every shot."""
        return tuple(self._shots)

    def follow(self, frame: Frame, cut: Cut, later: Sequence[Frame] = ()) -> None:
        """Find the faces of the next frame; `cut` tells whether it starts a shot.

        In frames that come `later` faces may be looked for ahead, which is cheaper; each is given again as the next.
        """
        if cut is Cut.SURE or (cut is Cut.POSSIBLE and not self._live):
            self._start_shot(frame.index)
        self._follow_live(frame, cut, later)
        if self._detection_due(frame.index):
            self._look_for_faces(frame)

    def finish(self, frames: int) -> list[TrackRecording]:
        """Every track of the video, by first frame; `frames` is the video's length."""
        self._end_tracks(frames)
        return sorted(self._kept, key=lambda track: (track.runs[0].first_frame, track.path.name))

    def close(self) -> None:
        """Close all files; for a video that is given up."""
        for track in (*self._live, *self._lost):
            track.close()

    def _start_shot(self, frame: int) -> None:
        self._end_tracks(frame)
        self._shots.append(frame)
        self._last_detection = self._last_close_look = None

    def _end_tracks(self, end: int) -> None:
        shortest = min(_LEAST_ROWS, (end - self._shots[-1] + 1) // 2)
        for track in (*self._live, *self._lost):
            track.close()
            if track.rows >= shortest:
                self._kept.append(track)
            else:
                track.remove()
        self._live, self._lost = [], []

    def _follow_live(self, frame: Frame, cut: Cut, later: Sequence[Frame]) -> None:
        found = self._follower.find(self._live, [frame, *later])
        tracks = list(self._live)
        if any(_jumped(track.last, new, cut) for track, new in zip(tracks, found, strict=True)):
            self._start_shot(frame.index)
            self._look_for_faces(frame)
            return
        self._live = []
        for track, landmarks in zip(tracks, found, strict=True):
            if self._is_new_face(landmarks):
                track.append(frame.index, landmarks, frame)
                self._live.append(track)
            else:  # gone, or run into a face that another track follows
                self._lost.append(track)
        if len(self._live) < len(tracks):
            self._last_detection = self._last_close_look = None

    def _detection_due(self, frame: int) -> bool:
        if len(self._live) == _MOST_FACES:
            return False
        if self._last_detection is None:
            return True
        lately = any(frame - track.last_frame <= self._longest_gap for track in self._lost)
        wait = self._wait_when_lost if lately or not self._live else self._wait
        return frame - self._last_detection >= wait

    def _look_for_faces(self, frame: Frame) -> None:
        self._last_detection = frame.index
        whole = whole_view(frame.width, frame.height)
        # Mostly there is nobody but those who are followed.
        if self._live and not self._others(frame, [whole], roughly=True):
            return
        self._look_in(frame, [whole])
        if not self._live and self._close_look_due(frame.index):
            self._last_close_look = frame.index
            self._look_in(frame, tile_views(frame.width, frame.height))
            if not self._live:
                self._look_in(frame, turned_views(frame.width, frame.height))

    def _close_look_due(self, frame: int) -> bool:
        return self._last_close_look is None or frame - self._last_close_look >= self._wait

    def _look_in(self, frame: Frame, views: Sequence[View]) -> None:
        for landmarks in find_new_landmarks(frame, self._others(frame, views)[:_MOST_FACES], self._triton):
            if len(self._live) < _MOST_FACES and self._is_new_face(landmarks):
                track = self._lost_track(landmarks) or self._new_track()
                track.append(frame.index, landmarks, frame)
                self._live.append(track)

    def _others(self, frame: Frame, views: Sequence[View], *, roughly: bool = False) -> list[Detection]:
        """Faces in these views that nobody follows."""
        found = detect(frame, views, self._triton, roughly=roughly)
        return [detection for detection in found if not self._is_followed(detection.box)]

    def _is_new_face(self, landmarks: NDArray[np.float32] | None) -> TypeGuard[NDArray[np.float32]]:
        return _plausible(landmarks) and not self._is_followed(box_of_landmarks(landmarks))

    def _is_followed(self, box: NDArray[np.floating]) -> bool:
        return best_overlap(box, [track.last for track in self._live])[1] > _SAME_FACE

    def _lost_track(self, landmarks: NDArray[np.float32]) -> TrackRecording | None:
        """The lost track of this shot that goes on with `landmarks`; it is lost no more."""
        index, share = best_overlap(box_of_landmarks(landmarks), [track.last for track in self._lost])
        return self._lost.pop(index) if share > _SAME_TRACK else None

    def _new_track(self) -> TrackRecording:
        self._next_file += 1
        path = self._folder / f"track{self._next_file:06d}"
        return TrackRecording(path, len(self._shots) - 1, self._longest_gap, keep_references=self._keep_references)


def best_overlap(box: NDArray[np.floating], faces: Sequence[NDArray[np.floating]]) -> tuple[int, float]:
    """Which of the faces' landmarks overlaps the box most, and by how much (0..1); (-1, 0) when there are none."""
    shares = [overlap(box, box_of_landmarks(face)) for face in faces]
    return max(enumerate(shares), key=lambda pair: pair[1], default=(-1, 0.0))


def _jumped(before: NDArray[np.float32], after: NDArray[np.float32] | None, cut: Cut) -> bool:
    """True when a face moved as only a cut can move it; where a cut is possible, losing it is enough."""
    if after is None:
        return cut is Cut.POSSIBLE
    limit = _JUMP_AT_POSSIBLE_CUT if cut is Cut.POSSIBLE else _JUMP
    moved = (after - before)[list(_STABLE), :2].mean(axis=0)
    growth = abs(float(np.log(eye_distance(after) / eye_distance(before))))
    return float(np.hypot(*moved)) > limit * eye_distance(before) or growth > _GROWTH_AT_JUMP * limit


def _plausible(landmarks: NDArray[np.float32] | None) -> TypeGuard[NDArray[np.float32]]:
    """False for no face, and for points that cannot be one worth following."""
    if landmarks is None or not np.isfinite(landmarks).all():
        return False
    return eye_distance(landmarks) >= _LEAST_EYE_DISTANCE
