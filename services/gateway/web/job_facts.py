"""A job in words: what it does, how far it is, how long it still takes, why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.web.catalogue import Words
from services.jobs.model import FINISHED, Job, JobState, Progress, Stage

# Looking for faces is the shorter part of the work; the bar of a job runs once from left to right.
_PARTS: Final[Mapping[Stage, tuple[float, float]]] = {
    Stage.STARTING: (0.0, 0.0),
    Stage.ANALYSING: (0.0, 0.3),
    Stage.RENDERING: (0.3, 0.98),
    Stage.PUBLISHING: (0.98, 0.98),
}


def share_done(job: Job) -> float:
    """0..1 of a job's whole work; a finished one is at 1, however it ended."""
    if job.state in FINISHED:
        return 1.0
    if job.state is JobState.QUEUED or job.progress is None:
        return 0.0
    start, end = _PARTS[job.progress.stage]
    return start + (end - start) * _share_of_stage(job.progress)


def _share_of_stage(progress: Progress) -> float:
    return min(1.0, progress.frames_done / progress.frames_total) if progress.frames_total else 0.0


def stage_text(words: Words, job: Job) -> str:
    """What happens now, as in Making the video · 120 of 240 frames."""
    if job.state is not JobState.RUNNING or job.progress is None:
        return words(f"state.{job.state}")
    progress = job.progress
    stage = words(f"stage.{progress.stage}")
    if not progress.frames_total:
        return stage
    frames = words("live.frames", done=progress.frames_done, total=progress.frames_total)
    return f"{stage} · {frames}"


def speed_text(words: Words, job: Job) -> str:
    """Frames a second and the time that is left; empty where nothing is known."""
    progress = job.progress
    if job.state is not JobState.RUNNING or progress is None or not progress.frames_per_second:
        return ""
    speed = words("live.speed", number=f"{progress.frames_per_second:.1f}")
    if progress.seconds_left is None:
        return speed
    return f"{speed} · {time_left(words, progress.seconds_left)}"


def time_left(words: Words, seconds: float) -> str:
    """Seconds below a minute and a half, minutes above."""
    if seconds < 90:
        return words("live.seconds_left", number=max(1, round(seconds)))
    return words("live.minutes_left", number=round(seconds / 60))


def failure_text(words: Words, job: Job) -> str:
    """Why a job failed."""
    return words.failure(job.error) if job.error else ""


def output_address(job_id: str, *, inline: bool = False) -> str:
    """Where an output is downloaded, or played from."""
    return f"/v1/jobs/{job_id}/output{'?inline=1' if inline else ''}"
