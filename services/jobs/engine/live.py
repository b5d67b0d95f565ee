"""What a running job says about itself: one JSON event of its workflow, written by the worker, read by every door."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from services.errors import ChorusError, error_from_json, error_to_json
from services.jobs.model import Progress, Stage

_ERROR_KEYS: Final = ("kind", "code", "message", "values")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The last that is known of a job; gone when the job is retried."""

    started_ms: int | None = None
    """Since 1970; DBOS's own moments are whole seconds on SQLite"""
    finished_ms: int | None = None
    progress: Progress | None = None
    error: ChorusError | None = None
    output_bytes: int | None = None


def live_to_json(live: Live) -> dict[str, Any]:
    """Plain JSON values: DBOS stores them as text that SQL can read."""
    document = error_to_json(live.error) if live.error else dict.fromkeys(_ERROR_KEYS)
    return {
        "started_ms": live.started_ms,
        "finished_ms": live.finished_ms,
        "progress": asdict(live.progress) if live.progress else None,
        **{f"error_{key}": document[key] for key in _ERROR_KEYS},
        "output_bytes": live.output_bytes,
    }


def live_from_text(text: str | None) -> Live:
    """The event's stored text; None when the job has never started."""
    if text is None:
        return Live()
    value: Mapping[str, Any] = json.loads(text)
    return Live(
        started_ms=value["started_ms"],
        finished_ms=value["finished_ms"],
        progress=progress_from_json(value["progress"]) if value["progress"] else None,
        error=_error(value) if value["error_kind"] else None,
        output_bytes=value["output_bytes"],
    )


def _error(value: Mapping[str, Any]) -> ChorusError:
    # Events of older workers have neither code nor values.
    return error_from_json({key: value.get(f"error_{key}") for key in _ERROR_KEYS})


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
