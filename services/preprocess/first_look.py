"""What a few frames of a video tell of its faces, a second after it was uploaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from services.media import Clip, Frame
from services.preprocess.analysis import write_tracks
from services.preprocess.cuts import Cut
from services.preprocess.detection import Inference
from services.preprocess.summary import VideoAnalysis
from services.preprocess.track_store import open_tracks
from services.preprocess.tracking import FaceTracker

LOOKS: Final = 4
"""Frames of a first look"""
LEAST_FRAMES: Final = 50
"""A shorter video is analysed as a whole in no more time"""


def first_look(clip: Clip, frames: Iterable[Frame], triton: Inference, folder: Path) -> VideoAnalysis:
    """The analysis of `clip` as if it were these frames, each a shot of its own; scratch files go to `folder`."""
    tracker, seen = FaceTracker(triton, folder, clip.frame_rate), 0
    try:
        for frame in frames:
            tracker.follow(replace(frame, index=seen), Cut.SURE if seen else Cut.NONE)
            seen += 1
        recordings = tracker.finish(seen)
    finally:
        tracker.close()
    # As long as the clip, so that a face is first seen about when it is.
    glanced = replace(clip, frames=seen, frame_rate=clip.frame_rate * seen / clip.frames)
    write_tracks(glanced, recordings, tracker.shots, folder / "first-look")
    with open_tracks(folder / "first-look") as tracks:
        return tracks.analysis
