"""What a few frames of a video tell of its faces, a second after it was uploaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from services.media import Clip, Frame, Readers, glances
from services.preprocess.analysis import candidate_of, summary_of
from services.preprocess.cuts import Cut
from services.preprocess.detection import Inference
from services.preprocess.pose import find_motion
from services.preprocess.ranking import rank_tracks
from services.preprocess.recording import TrackRecording
from services.preprocess.summary import TrackSummary, VideoAnalysis
from services.preprocess.track_store import LandmarkSlices
from services.preprocess.tracking import FaceTracker

_LOOKS: Final = 4
"""Frames of a first look, at most"""
LEAST_FRAMES: Final = 50
"""A shorter video is analysed as a whole in no more time"""


def first_look_at(clip: Clip, readers: Readers, triton: Inference, scratch: Path) -> VideoAnalysis:
    """The first look at what keyframes show; if that is nobody and they are few, also at what comes a moment after."""
    few, all_of_them = glances(clip, _LOOKS), glances(clip, _LOOKS, more=True)
    found = _look_at(clip, few, readers, triton, scratch)
    return found if found.tracks or few == all_of_them else _look_at(clip, all_of_them, readers, triton, scratch)


def _look_at(clip: Clip, indices: tuple[int, ...], readers: Readers, triton: Inference, scratch: Path) -> VideoAnalysis:
    with TemporaryDirectory(dir=scratch) as folder, closing(readers.glances(clip, indices)) as frames:
        return first_look(clip, frames, triton, Path(folder))


def first_look(clip: Clip, frames: Iterable[Frame], triton: Inference, folder: Path) -> VideoAnalysis:
    """The analysis of `clip` as if it were these frames, each a shot of its own; scratch files go to `folder`.

    Whether something hides a mouth is not looked for: only frames that follow each other tell.
    """
    tracker, seen = FaceTracker(triton, folder, clip.frame_rate, keep_references=False), 0
    try:
        for frame in frames:
            tracker.follow(replace(frame, index=seen), Cut.SURE if seen else Cut.NONE)
            seen += 1
        recordings = tracker.finish(seen)
    finally:
        tracker.close()
    return VideoAnalysis(
        frames=seen,
        # As long as the clip, so that a face is first seen about when it is.
        frame_rate=clip.frame_rate * Fraction(seen, clip.frames),
        width=clip.width,
        height=clip.height,
        frames_with_face=len({recording.shot for recording in recordings}),
        tracks=tuple(_summaries(recordings, clip)),
    )


def _summaries(recordings: Sequence[TrackRecording], clip: Clip) -> Iterator[TrackSummary]:
    ranks = rank_tracks([candidate_of(recording) for recording in recordings], clip.width, clip.height)
    for number, (recording, rank) in enumerate(zip(recordings, ranks, strict=True)):
        visible = np.ones(recording.rows)
        with recording.path.open("rb") as file:
            shot = (recording.shot, recording.shot)
            motion = find_motion(LandmarkSlices(file), recording.runs, shot, visible)
        yield summary_of(number, rank, recording, visible, motion)
