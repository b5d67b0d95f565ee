"""Jobs as plain data: their states, how far they are, what became of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.errors import ChorusError


class JobState(StrEnum):
    """A job's life; a batch has no state of its own, it is counted from its jobs."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """How much of the workers' time a batch gets while others wait; see engine/turns.py."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


FINISHED: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


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
