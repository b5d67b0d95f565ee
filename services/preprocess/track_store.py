"""The file that keeps everything known of one video's faces: arrays first, their description as JSON at the end.

It is written once, published under the video's content hash, and read in slices: landmarks of ten minutes are 86 MB.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from services.media import DECODING_VERSION
from services.preprocess.faces import LANDMARKS
from services.preprocess.pose import TrackMotion
from services.preprocess.recording import ROW_BYTES, TrackRecording
from services.preprocess.references import SavedReference, decode_reference
from services.preprocess.runs import Run
from services.preprocess.summary import TrackSummary, VideoAnalysis

ANALYSIS_VERSION: Final = "9"
"""Part of the key: raise it when the same video would be analysed differently"""
_LENGTH: Final = struct.Struct("<Q")
_MOTION_COLUMNS: Final = 14
"""The (3, 4) pose, stillness, weight"""


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """Where one track's arrays lie in the file."""

    summary: TrackSummary
    runs: tuple[Run, ...]
    references: tuple[SavedReference, ...]
    landmarks_at: int
    motion_at: int
    neutral_at: int
    pictures_at: int

    @property
    def rows(self) -> int:
        """Frames with this face."""
        return sum(run.rows for run in self.runs)


def track_key(video_key: str) -> str:
    """Where the face track of a video is stored; the last part of the video's key is its content hash."""
    return f"tracks/{content_hash(video_key)}/{ANALYSIS_VERSION}.{DECODING_VERSION}/faces"


def content_hash(key: str) -> str:
    """The content hash in the key of an artifact."""
    return key.rsplit("/", 1)[-1].split(".", 1)[0]


class TrackWriter:
    """Writes the file track by track."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._tracks: list[dict[str, Any]] = []

    def add(self, recording: TrackRecording, motion: TrackMotion, summary: TrackSummary) -> None:
        """Append a closed recording and what was worked out of it."""
        track = {
            "summary": asdict(summary),
            "runs": [asdict(run) for run in recording.runs],
            "references": [asdict(reference) for reference in recording.references],
            "landmarks_at": self._append_file(recording.path),
            "motion_at": self._append(_motion_rows(motion)),
            "neutral_at": self._append(motion.neutral),
            "pictures_at": self._append_file(recording.pictures),
        }
        self._tracks.append(track)

    def finish(self, *, frames: int, frame_rate: Fraction, width: int, height: int, frames_with_face: int) -> None:
        """Append the description; the file is complete then."""
        video = {
            "frames": frames,
            "frame_rate": [frame_rate.numerator, frame_rate.denominator],
            "width": width,
            "height": height,
            "frames_with_face": frames_with_face,
        }
        text = json.dumps({"video": video, "tracks": self._tracks}).encode()
        self._file.write(text + _LENGTH.pack(len(text)))

    def _append(self, array: NDArray[np.floating]) -> int:
        start = self._file.tell()
        self._file.write(array.astype("<f4").tobytes())
        return start

    def _append_file(self, path: Path) -> int:
        start = self._file.tell()
        with path.open("rb") as source:
            shutil.copyfileobj(source, self._file, 1 << 20)
        return start


class TrackFile:
    """An open file of tracks; for one thread."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(-_LENGTH.size, 2)
        end = file.tell()
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        file.seek(end - length)
        description = json.loads(file.read(length))
        self.tracks = tuple(_stored_track(track) for track in description["tracks"])
        video = description["video"]
        self.analysis = VideoAnalysis(
            frames=video["frames"],
            frame_rate=Fraction(*video["frame_rate"]),
            width=video["width"],
            height=video["height"],
            frames_with_face=video["frames_with_face"],
            tracks=tuple(track.summary for track in self.tracks),
        )

    def landmarks(self, track: StoredTrack) -> LandmarkSlices:
        """The raw landmarks of a track, to be read row by row."""
        return LandmarkSlices(self._file, track.landmarks_at)

    def motion(self, track: StoredTrack) -> TrackMotion:
        """What was worked out of a track: 56 bytes a row."""
        rows = self._read(track.motion_at, (track.rows, _MOTION_COLUMNS))
        neutral = self._read(track.neutral_at, (LANDMARKS, 3))
        return TrackMotion(neutral, rows[:, :12].reshape(-1, 3, 4), still=rows[:, 12], weight=rows[:, 13])

    def picture(self, track: StoredTrack, reference: SavedReference) -> NDArray[np.uint8]:
        """(h, w, 3) RGB of a reference frame's region."""
        self._file.seek(track.pictures_at + reference.first_byte)
        return decode_reference(self._file.read(reference.size))

    def _read(self, start: int, shape: tuple[int, int]) -> NDArray[np.float64]:
        self._file.seek(start)
        return np.frombuffer(self._file.read(4 * shape[0] * shape[1]), "<f4").reshape(shape).astype(np.float64)


class LandmarkSlices:
    """Landmark rows inside an open file."""

    def __init__(self, file: BinaryIO, start: int = 0) -> None:
        self._file = file
        self._start = start

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """(stop - start, 478, 3) source pixels."""
        self._file.seek(self._start + start * ROW_BYTES)
        return np.frombuffer(self._file.read((stop - start) * ROW_BYTES), "<f4").reshape(-1, LANDMARKS, 3)


@contextmanager
def open_tracks(path: Path) -> Iterator[TrackFile]:
    """The file of tracks at `path`, open inside the block."""
    with path.open("rb") as file:
        yield TrackFile(file)


def _motion_rows(motion: TrackMotion) -> NDArray[np.float64]:
    return np.column_stack([motion.pose.reshape(-1, 12), motion.still, motion.weight])


def _stored_track(track: dict[str, Any]) -> StoredTrack:
    summary = track["summary"]
    return StoredTrack(
        summary=TrackSummary(**{**summary, "box": tuple(summary["box"])}),
        runs=tuple(Run(**run) for run in track["runs"]),
        references=tuple(SavedReference(**reference) for reference in track["references"]),
        landmarks_at=track["landmarks_at"],
        motion_at=track["motion_at"],
        neutral_at=track["neutral_at"],
        pictures_at=track["pictures_at"],
    )
