"""Face batches in output order: which track each frame shows, its crops, landmarks, resting mouth and mel windows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.media import Clip, Extend, Frame, source_index
from services.preprocess.crops import crop_side, crop_to_frame, cut, cut_region, inverse_affine, net_box, resting_face
from services.preprocess.faces import LANDMARKS, MEL_BANDS, CropBox, FaceBatch, FaceIntroduction, FaceRequest
from services.preprocess.latents import SeenFaces
from services.preprocess.mel import mel_window
from services.preprocess.pose import face_affine, place, seen_face
from services.preprocess.ranking import frame_rows
from services.preprocess.references import SavedReference, mouth_opening, speaking_opening
from services.preprocess.states import States
from services.preprocess.track_store import StoredTrack, TrackFile

BATCH_FRAMES: Final = 8
NO_TRACK: Final = -1
_ROWS_SEEN: Final = 1000
"""Of a track, to tell how far its mouth opens"""

Read = Callable[[Clip, int, Extend], Generator[Frame]]
"""As media.read_frames, whoever decodes"""
_Shown = tuple[int, Frame | None]
"""A source frame's index, and the frame where pixels are wanted"""


@dataclass(frozen=True, slots=True)
class Face:
    """One row of a face batch, but for its mel window."""

    crop: NDArray[np.uint8] | None
    """None: nobody asked for pixels"""
    landmarks: NDArray[np.float32]
    rest: NDArray[np.float32]
    to_crop: NDArray[np.float32]
    weight: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What of a recording is cut into windows."""

    mel: NDArray[np.float32]
    states: States | None = None
    """Of the request's sound net"""

    def mel_windows(
        self, request: FaceRequest, first_frame: int, frames: int, frame_rate: Fraction
    ) -> list[NDArray[np.float32]]:
        """(80, columns) for each frame, or nothing when none are wanted."""
        columns = request.mel.window
        if columns == 0:
            return []
        return [mel_window(self.mel, frame, frame_rate, columns) for frame in range(first_frame, first_frame + frames)]

    def added_to(self, batch: FaceBatch, request: FaceRequest, frame_rate: Fraction) -> FaceBatch:
        """The batch with the states of its frames, if a net heard them."""
        if self.states is None or request.sound_net is None:
            return batch
        windows = self.states.windows(request.sound_net, batch.first_frame, len(batch.present), frame_rate)
        return replace(batch, sound=windows[0], silence=windows[1])


class TrackFaces:
    """Cuts the faces of one track as a family wants them."""

    def __init__(self, tracks: TrackFile, track: StoredTrack, request: FaceRequest) -> None:
        spec = request.crop
        self.number = track.summary.track
        self._tracks = tracks
        self._track = track
        self._spec = spec
        self._motion = tracks.motion(track)
        self._landmarks = tracks.landmarks(track)
        self.side = crop_side(spec, track.summary.eye_distance)
        self.box: CropBox | None = None
        if request.source_net is not None:
            face = resting_face(self._motion.neutral, self._motion.pose)
            self.box = net_box(request.source_net, face, spec, self.side)
        self._first_rows = [run.first_row for run in track.runs]

    def face(self, frame: Frame | None, row: int) -> Face:
        """The face of the track's `row`, whose picture is `frame`; without one it has no crop."""
        to_frame = self._to_frame(row)
        return self._face(row, to_frame, cut(frame, to_frame, self.side) if frame else None)

    def introduction(self) -> FaceIntroduction:
        """The track and its reference frames."""
        faces = [self._reference(reference) for reference in self._track.references]
        batch = joined(faces, -1, self.number, self.side, [])
        rows = range(0, self._track.rows, self._track.rows // _ROWS_SEEN + 1)
        opening = speaking_opening([mouth_opening(self._landmarks.read(row, row + 1)[0]) for row in rows])
        return FaceIntroduction(self.number, self._track.summary.eye_distance, opening, batch, self.box)

    def batch(self, faces: Sequence[Face], first_frame: int, mels: Sequence[NDArray[np.float32]]) -> FaceBatch:
        """Faces of consecutive frames, and their mel windows if there are any."""
        return joined(faces, first_frame, self.number, self.side, mels)

    def _reference(self, reference: SavedReference) -> Face:
        to_frame = self._to_frame(reference.row)
        to_region = (to_frame - np.array([[0, 0, reference.left], [0, 0, reference.top]])) * reference.scale
        crop = cut_region(self._tracks.picture(self._track, reference), (0, 0), to_region, self.side)
        return self._face(reference.row, to_frame, crop)

    def _to_frame(self, row: int) -> NDArray[np.float64]:
        return crop_to_frame(face_affine(self._motion.pose[row]), self._spec, self.side)

    def _face(self, row: int, to_frame: NDArray[np.float64], crop: NDArray[np.uint8] | None) -> Face:
        run = self._track.runs[bisect_right(self._first_rows, row) - 1]
        seen = seen_face(self._landmarks, self._motion, run, row)
        at_rest = place(self._motion.neutral, self._motion.pose[row])
        at_rest += self._motion.still[row] * (seen - at_rest)
        to_crop = inverse_affine(to_frame)
        depth = self.side / (self._spec.extent * float(np.linalg.norm(self._motion.pose[row, :, 0])))
        return Face(
            crop,
            _in_crop(seen, to_crop, depth),
            _in_crop(at_rest, to_crop, depth),
            to_crop.astype(np.float32),
            float(self._motion.weight[row]),
        )


def stream_batches(
    clip: Clip, tracks: TrackFile, heard: Heard, request: FaceRequest, read: Read, seen: SeenFaces | None = None
) -> Iterator[FaceIntroduction | FaceBatch]:
    """Batches of up to 8 frames that cover the output; one ends where the track changes or the face goes away.

    `read` gives the frames where the request asks for pixels; `seen` what its source net sees in them. NO_FACE when
    the video has no face of the rank that was asked for.
    """
    chosen = choose_tracks(tracks, request)
    track_of, row_of = frame_rows(
        [
            (number, [(run.first_frame, run.first_row, run.rows) for run in track.runs])
            for number, track in chosen.items()
        ],
        clip.frames,
    )
    faces: TrackFaces | None = None
    with closing(_shown_frames(clip, request, read)) as shown:
        for first_frame, track, frames in _groups(shown, track_of):
            if track == NO_TRACK:
                yield faceless(first_frame, len(frames))
                continue
            if faces is None or faces.number != track:
                faces = TrackFaces(tracks, chosen[track], request)
                yield faces.introduction()
            rows = [int(row_of[index]) for index, _ in frames]
            cut_out = [faces.face(frame, row) for (_, frame), row in zip(frames, rows, strict=True)]
            batch = faces.batch(
                cut_out, first_frame, heard.mel_windows(request, first_frame, len(frames), clip.frame_rate)
            )
            batch = heard.added_to(batch, request, clip.frame_rate)
            if seen is not None and faces.box is not None:
                seen.look_at(faces.number, request.crop, faces.side, faces.box)
                batch = replace(batch, latents=seen.latents(rows, list(batch.crops)))
                if first_frame + len(frames) == request.frame_count:
                    seen.keep()  # whoever has the last batch need not wait for the end of the stream
            yield batch
    if seen is not None:
        seen.finish()


def choose_tracks(tracks: TrackFile, request: FaceRequest) -> dict[int, StoredTrack]:
    """The tracks of the wanted rank by number; NO_FACE when there are none."""
    wanted = request.face or 0
    chosen = {track.summary.track: track for track in tracks.tracks if track.summary.rank == wanted}
    if chosen:
        return chosen
    most = 1 + max(track.summary.rank for track in tracks.tracks)
    raise ChorusError(ErrorKind.NO_FACE, "face-not-there", name=request.video_name, most=most, last=most - 1)


def faceless(first_frame: int, frames: int) -> FaceBatch:
    """A batch of frames to pass through."""
    batch = joined([], first_frame, NO_TRACK, 0, [])
    return FaceBatch(
        first_frame=first_frame,
        track=NO_TRACK,
        present=np.zeros(frames, np.bool_),
        crops=batch.crops,
        landmarks=batch.landmarks,
        rest=batch.rest,
        to_crop=batch.to_crop,
        weight=batch.weight,
        mels=batch.mels,
    )


def joined(
    faces: Sequence[Face], first_frame: int, track: int, side: int, mels: Sequence[NDArray[np.float32]]
) -> FaceBatch:
    """One batch of the faces, all present; (m, 80, 0) mel windows when `mels` is empty."""
    rows, points = len(faces), (len(faces), LANDMARKS, 3)
    crops = [face.crop for face in faces if face.crop is not None]
    return FaceBatch(
        first_frame=first_frame,
        track=track,
        present=np.ones(rows, np.bool_),
        crops=np.array(crops, np.uint8).reshape(len(crops), side, side, 3),
        landmarks=np.array([face.landmarks for face in faces], np.float32).reshape(points),
        rest=np.array([face.rest for face in faces], np.float32).reshape(points),
        to_crop=np.array([face.to_crop for face in faces], np.float32).reshape(rows, 2, 3),
        weight=np.array([face.weight for face in faces], np.float32),
        mels=np.stack(mels) if mels else np.zeros((rows, MEL_BANDS, 0), np.float32),
    )


def _groups(every: Iterator[_Shown], track_of: NDArray[np.int32]) -> Iterator[tuple[int, int, list[_Shown]]]:
    """(first output frame, track, frames) of every batch."""
    first_frame, track, frames = 0, NO_TRACK, list[_Shown]()
    for output_frame, shown in enumerate(every):
        current = int(track_of[shown[0]])
        if frames and (current != track or len(frames) == BATCH_FRAMES):
            yield first_frame, track, frames
            frames = []
        if not frames:
            first_frame, track = output_frame, current
        frames.append(shown)
    if frames:
        yield first_frame, track, frames


def _shown_frames(clip: Clip, request: FaceRequest, read: Read) -> Generator[_Shown]:
    """What every output frame shows; nothing is decoded when nobody asked for pixels."""
    if request.crop.pixels:
        with closing(read(clip, request.frame_count, request.extend)) as frames:
            yield from ((frame.index, frame) for frame in frames)
        return
    for frame in range(request.frame_count):
        yield source_index(frame, clip.frames, request.extend), None


def _in_crop(points: NDArray[np.float64], to_crop: NDArray[np.float64], depth: float) -> NDArray[np.float32]:
    """(478, 3) source pixels -> crop pixels; `depth` is crop pixels a source pixel of an unturned face."""
    flat = points[:, :2] @ to_crop[:, :2].T + to_crop[:, 2]
    return np.column_stack([flat, points[:, 2] * depth]).astype(np.float32)
