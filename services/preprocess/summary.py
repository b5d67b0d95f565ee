"""What preprocess says of a file, and of a video as a whole: published, and free of NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

FACTS_VERSION: Final = "1.3"
"""By which rules a file is looked into: what older ones found is found again when the same file comes again.

Raise the first number when a file would get other facts, other sound notes (also by another net that hears speech) or
another thumbnail; the second is media's DECODING_VERSION, which processes without pixels cannot import.
"""


@dataclass(frozen=True, slots=True)
class AnalysisProgress:
    """How far the one-off analysis of a video or a recording is; those of a recording are frames of 20 ms."""

    frames_done: int
    frames_total: int


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """One person in one shot, as the preflight shows it."""

    track: int
    shot: int
    first_frame: int
    last_frame: int
    eye_distance: float
    """Pixels"""
    box: tuple[float, float, float, float]
    """Median face box: left, top, right, bottom in source pixels"""
    rank: int
    """0: the face that is used by default in its shot"""
    usable: float = 1.0
    """Share of its frames that will show the effect, 0..1"""
    occluded: float = 0.0
    """Share of its frames in which something is in front of the mouth"""
    turned_away: float = 0.0
    """Share of its frames that look too far aside, up or down"""


@dataclass(frozen=True, slots=True)
class VideoAnalysis:
    """What is known of a video once it was analysed."""

    frames: int
    frame_rate: Fraction
    width: int
    height: int
    frames_with_face: int
    tracks: tuple[TrackSummary, ...]


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What a few frames of a video show, long before all were analysed; the analysis may say something else."""

    analysis: VideoAnalysis
    """As if the video were these frames; without tracks when they show nobody"""


class SoundNote(StrEnum):
    """What a person should know of a recording before it is spoken."""

    NO_SPEECH = "no_speech"
    """Nobody speaks in it: the mouth would rest"""
    CLIPPED = "clipped"
    """Recorded too loud: a good part of its peaks was cut off"""
    OPPOSITE_PHASE = "opposite_phase"
    """Its channels cancel each other; their difference is heard"""
    CENTRE = "centre"
    """Of several channels the one in the middle is heard"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What an uploaded file is."""

    kind: str
    """video, audio or still"""
    seconds: float
    has_audio: bool
    width: int | None = None
    height: int | None = None
    frame_rate: str | None = None
    """An exact fraction, as in 30000/1001"""
    sound_notes: tuple[SoundNote, ...] = ()
    """Of an audio file"""
    sound_track: int | None = None
    """Which of several tracks of sound is heard, from 1"""
