"""What a running job says about itself: one JSON event of its workflow, written by the worker, read by every door."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from services.errors import ErrorKind
from services.jobs.model import Progress, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The last that is known of a job; gone when the job is retried."""

    started_ms: int | None = None
    """Since 1970; DBOS's own moments are whole seconds on SQLite"""
    finished_ms: int | None = None
    progress: Progress | None = None
    error_kind: ErrorKind | None = None
    error_message: str | None = None
    output_bytes: int | None = None


def live_to_json(live: Live) -> dict[str, Any]:
    """Plain JSON values: DBOS stores them as text that SQL can read."""
    return asdict(live)


def live_from_text(text: str | None) -> Live:
    """The event's stored text; None when the job has never started."""
    if text is None:
        return Live()
    value: Mapping[str, Any] = json.loads(text)
    kind = value["error_kind"]
    return Live(
        started_ms=value["started_ms"],
        finished_ms=value["finished_ms"],
        progress=progress_from_json(value["progress"]) if value["progress"] else None,
        error_kind=ErrorKind(kind) if kind else None,
        error_message=value["error_message"],
        output_bytes=value["output_bytes"],
    )


def progress_from_json(value: Mapping[str, Any]) -> Progress:
    """A render child's progress; ValueError or KeyError when it is none."""
    left = value.get("seconds_left")
    return Progress(
        stage=Stage(value["stage"]),
        frames_done=int(value.get("frames_done", 0)),
        frames_total=int(value.get("frames_total", 0)),
        frames_per_second=float(value.get("frames_per_second", 0.0)),
        seconds_left=None if left is None else float(left),
    )
