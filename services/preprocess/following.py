"""Finds followed faces again, in several frames at a time: a net asked for four crops at once takes half the time.

Where a face will be is guessed from where it was. Where it turns out to be elsewhere it is looked at again, and from
then on, for a while, in fewer frames at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.preprocess.detection import Inference
from services.preprocess.landmarks import FaceSquare, find_landmarks, square_of_landmarks
from services.preprocess.recording import TrackRecording

FRAMES_AT_ONCE: Final = 4
_REMEMBERED: Final = 4
"""Places of a face that tell how it moves"""
_ASTRAY: Final = 0.01
"""Sides of the square by which a guess may be wrong: with more of it, lips tremble"""

Landmarks = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """A face in a frame that was looked at ahead."""

    square: FaceSquare
    """Where it was looked for"""
    steps: int
    """Frames from the newest that was known then"""
    landmarks: Landmarks | None

    def is_astray(self) -> bool:
        """True when somebody who knows the frame before would look elsewhere."""
        if self.steps == 1:
            return False
        if self.landmarks is None:
            return True
        place = square_of_landmarks(self.landmarks)
        return float(np.hypot(place.x - self.square.x, place.y - self.square.y)) > _ASTRAY * self.square.side


@dataclass(slots=True)
class _Path:
    """Where the face of one track was, and what was seen of it ahead."""

    newest: Landmarks | None = None
    """What was last found"""
    places: deque[FaceSquare] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    ahead: dict[int, _Sight] = field(default_factory=dict)
    """By frame"""
    reach: int = 1
    """Frames to be looked at at once"""

    def guess(self, steps: int) -> FaceSquare:
        """Where the face is `steps` frames after the newest that is known; no face grows fast."""
        first, last, intervals = self.places[0], self.places[-1], max(len(self.places) - 1, 1)
        share = steps / intervals
        turn = (last.angle - first.angle + np.pi) % (2 * np.pi) - np.pi
        return FaceSquare(
            x=last.x + share * (last.x - first.x),
            y=last.y + share * (last.y - first.y),
            side=last.side,
            angle=last.angle + share * turn,
        )

    def take(self, frame: int) -> Landmarks | None:
        """What was seen in that frame; once all is taken that was looked at, more is looked at the next time."""
        sight = self.ahead.pop(frame)
        if not self.ahead:
            self.reach = min(2 * self.reach, FRAMES_AT_ONCE)
        self.newest = sight.landmarks
        return self.newest


class FaceFollower:
    """Faces of one video; frames come in order, each once."""

    def __init__(self, triton: Inference) -> None:
        self._triton = triton
        self._paths: dict[TrackRecording, _Path] = {}

    def find(self, tracks: Sequence[TrackRecording], frames: Sequence[Frame]) -> list[Landmarks | None]:
        """(478, 3) source pixels of each track's face in the first of the frames, None where it is gone.

        The tracks end in the frame before; in the frames after the first they may be looked for ahead.
        """
        self._paths = {track: self._path(track) for track in tracks}
        paths, index = list(self._paths.values()), frames[0].index
        for track, path in self._paths.items():
            path.places.append(square_of_landmarks(track.last))
        self._look([path for path in paths if index not in path.ahead], frames)
        astray = [path for path in paths if path.ahead[index].is_astray()]
        for path in astray:
            path.reach = 1
        self._look(astray, frames)
        return [path.take(index) for path in paths]

    def _path(self, track: TrackRecording) -> _Path:
        """A face that others found in the frame before begins anew."""
        known = self._paths.get(track)
        return known if known is not None and known.newest is track.last else _Path()

    def _look(self, paths: Sequence[_Path], frames: Sequence[Frame]) -> None:
        """Look for these faces where what is known now says that they will be; what was seen ahead is forgotten."""
        asked = [
            (path, frame, steps, path.guess(steps))
            for path in paths
            for steps, frame in enumerate(frames[: path.reach], start=1)
        ]
        found = find_landmarks([(frame, square) for _, frame, _, square in asked], self._triton)
        for path in paths:
            path.ahead.clear()
        for (path, frame, steps, square), landmarks in zip(asked, found, strict=True):
            path.ahead[frame.index] = _Sight(square, steps, landmarks)


def windows(frames: Iterable[Frame], length: int) -> Iterator[Sequence[Frame]]:
    """For each frame that frame and those after it, up to `length` in all; fewer at the end."""
    window: deque[Frame] = deque(maxlen=length)
    for frame in frames:
        if len(window) == length:
            yield tuple(window)
        window.append(frame)
    while window:
        yield tuple(window)
        window.popleft()
