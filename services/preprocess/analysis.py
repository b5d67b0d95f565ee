"""The one-off analysis of a video: follow its faces, work out their motion, write the file of tracks."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services import telemetry
from services.media import Clip, Frame
from services.preprocess.cuts import CutDetector
from services.preprocess.detection import Inference
from services.preprocess.faces import LANDMARKS
from services.preprocess.following import FRAMES_AT_ONCE, windows
from services.preprocess.occlusion import find_visibility
from services.preprocess.pose import TrackMotion, find_motion
from services.preprocess.ranking import Candidate, rank_tracks
from services.preprocess.recording import TrackRecording
from services.preprocess.skin_following import follow_skin
from services.preprocess.summary import TrackSummary
from services.preprocess.track_store import LandmarkSlices, TrackWriter
from services.preprocess.tracking import FaceTracker
from services.preprocess.weights import pose_weight, settled, sharpness_weight

_log = logging.getLogger(__name__)

_HALF = 0.5
"""Of the effect, or of the mouth: what a frame needs to count as usable, or to be counted as hidden"""


def analyse(clip: Clip, frames: Iterable[Frame], triton: Inference, folder: Path, output: Path) -> Generator[int]:
    """Analyse `clip` into the file `output`, giving the frames done after every frame; scratch files go to `folder`.

    `frames` are those of the clip from the first to the last.
    """
    started = time.monotonic()
    tracker, cuts = FaceTracker(triton, folder, clip.frame_rate), CutDetector()
    try:
        for frame, *later in windows(frames, FRAMES_AT_ONCE):
            tracker.follow(frame, cuts.judge(frame.y), later)
            telemetry.analysed_frames(1)
            yield frame.index + 1
        recordings = tracker.finish(clip.frames)
    finally:
        tracker.close()
    _write_tracks(clip, recordings, tracker.shots, output)
    seconds = time.monotonic() - started
    _log.info(
        "%s: %d frames analysed in %.1f s, %d shots, %d tracks",
        clip.name,
        clip.frames,
        seconds,
        len(tracker.shots),
        len(recordings),
    )


def _write_tracks(clip: Clip, recordings: Sequence[TrackRecording], shots: Sequence[int], output: Path) -> None:
    """Work out the motion of every track, and write all that is known of them to the file `output`."""
    ranks = rank_tracks([candidate_of(recording) for recording in recordings], clip.width, clip.height)
    seen = np.zeros(clip.frames, np.bool_)
    with output.open("xb") as file:
        writer = TrackWriter(file)
        for number, (recording, rank) in enumerate(zip(recordings, ranks, strict=True)):
            for run in recording.runs:
                seen[run.first_frame : run.last_frame + 1] = True
            visible, motion = _motion(recording, shots, clip)
            recording.drop_references(visible < 1)
            writer.add(recording, motion, summary_of(number, rank, recording, visible, motion))
        writer.finish(
            frames=clip.frames,
            frame_rate=clip.frame_rate,
            width=clip.width,
            height=clip.height,
            frames_with_face=int(seen.sum()),
        )


def _motion(recording: TrackRecording, shots: Sequence[int], clip: Clip) -> tuple[NDArray[np.float64], TrackMotion]:
    """How far the mouth is in view in every row, and the motion of the track."""
    ends = [*shots[1:], clip.frames]
    with recording.path.open("rb") as file:
        rows, shot = LandmarkSlices(file), (shots[recording.shot], ends[recording.shot] - 1)
        visible = find_visibility(recording.colours(), recording.mouths(), rows, recording.runs, clip.frame_rate)
        believed = visible * settled(sharpness_weight(recording.blurs()))
        motion = find_motion(rows, recording.runs, shot, believed)
    landmarks = np.memmap(recording.path, "<f4", "r+", shape=(recording.rows, LANDMARKS, 3))
    with recording.skin.open("rb") as skin:
        follow_skin(landmarks, skin, recording.runs, motion, believed)
    landmarks.flush()
    with recording.path.open("rb") as file:
        return visible, find_motion(LandmarkSlices(file), recording.runs, shot, believed)


def candidate_of(recording: TrackRecording) -> Candidate:
    """What counts for the rank of a closed recording."""
    return Candidate(
        shot=recording.shot,
        first_frame=recording.runs[0].first_frame,
        last_frame=recording.last_frame,
        eye_distance=recording.median_eye_distance(),
        box=recording.median_box(),
    )


def summary_of(
    number: int, rank: int, recording: TrackRecording, visible: NDArray[np.float64], motion: TrackMotion
) -> TrackSummary:
    """What a person is told of a closed recording; `visible` (rows,) 0..1 is how far the mouth is in view."""
    return TrackSummary(
        track=number,
        shot=recording.shot,
        first_frame=recording.runs[0].first_frame,
        last_frame=recording.last_frame,
        eye_distance=recording.median_eye_distance(),
        box=recording.median_box(),
        rank=rank,
        usable=float((motion.weight > _HALF).mean()),
        occluded=float((visible < _HALF).mean()),
        turned_away=float((pose_weight(motion.pose) < _HALF).mean()),
    )
