"""Jobs and batches as plain data: what is asked, the states, the legal transitions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from services.errors import ChorusError
from services.timeline import Extend


class JobState(StrEnum):
    """A job's life; a batch has no state of its own, it is counted from its jobs."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


LEGAL_TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    # Back to queued: its worker died, another one takes it over.
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}
FINISHED: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """What a user may choose for an output; the defaults suit a colleague who chose nothing."""

    family: str = "default"
    extend: Extend = Extend.PINGPONG
    """The audio is longer than the video"""
    after_audio: Literal["end", "rest"] = "end"
    """The audio is shorter: end with it, or go on with a resting mouth and silence to the video's end"""
    crf: int = 18
    """libx264 quality, 0 (lossless) .. 35"""
    preset: str = "veryfast"
    pixel_format: Literal["source", "yuv420p"] = "source"
    """source keeps bit depth and chroma of the footage; yuv420p plays everywhere"""
    face: int | None = None
    """Rank of the face to use in every shot; None: the largest and most central"""
    expression: float = 1.0
    """How far the mouth opens and spreads, 0.5 .. 1.5; closed lips stay closed"""
    smoothing: float = 0.0
    """0: the mouth moves as spoken .. 1: calmly; closures are kept"""
    silence: Literal["rest", "source"] = "rest"
    """In pauses: the mouth rests, shut and still, or the footage's own mouth shows"""
    still_motion: bool = True
    """A photo gets slight head motion and blinks"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """All that a worker needs to render one output; stored with the job."""

    job_id: str
    batch_id: str
    video_key: str
    video_name: str
    """As the user named it, for messages"""
    audio_key: str
    audio_name: str
    output_key: str
    poster_key: str
    options: RenderOptions


class Stage(StrEnum):
    """What a running job is doing."""

    STARTING = "starting"
    ANALYSING = "analysing"
    RENDERING = "rendering"
    PUBLISHING = "publishing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running job is; may go back when another attempt starts."""

    stage: Stage
    frames_done: int = 0
    frames_total: int = 0
    frames_per_second: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as every door shows it."""

    id: str
    batch_id: str
    index: int
    name: str
    """The output's file name"""
    video_name: str
    video_id: str
    """Upload that it was made from; may be deleted by now, as may the audio's"""
    audio_name: str
    audio_id: str
    owner: str
    state: JobState
    progress: Progress | None
    attempt: int
    error: ChorusError | None
    """Why it failed"""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    output_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs a list shows; None: any."""

    state: JobState | None = None
    batch_id: str | None = None
    name: str | None = None
    """Part of the output's or the video's name, upper or lower case"""
    owner: str | None = None
    since: datetime | None = None
    """Created at or after"""
    until: datetime | None = None
    """Created before"""
    first: str = ""
    """This owner's jobs come before all others"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What became of several jobs that were to be deleted."""

    deleted: Sequence[str]
    refused: Mapping[str, ChorusError]
    """Why, by job id"""


def may_become(current: JobState, wanted: JobState) -> bool:
    """True when `current` -> `wanted` is a legal transition."""
    return wanted in LEGAL_TRANSITIONS[current]
