"""Logs on stderr and the metrics of a process; the only import of prometheus_client. Imports nothing of ours."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from pythonjsonlogger.json import JsonFormatter

METRICS_CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
LogForm = Literal["text", "json"]

_job_id: ContextVar[str | None] = ContextVar("job_id", default=None)

_MINUTES: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_STAGE_SECONDS: Final = (0.1, 0.2, 0.5, *_MINUTES)

_jobs = Counter("chorus_jobs_finished", "Jobs that ended, by their last state", ["state", "family"])
_job_seconds = Histogram("chorus_job_seconds", "From a job's start to its end", ["state"], buckets=_MINUTES)
_frames = Counter("chorus_frames_rendered", "Frames of finished and unfinished outputs that were written")
_stages = Histogram("chorus_stage_seconds", "Seconds a job spent in one stage", ["stage"], buckets=_STAGE_SECONDS)
_uploads = Counter("chorus_uploads", "Files that were uploaded")
_upload_bytes = Counter("chorus_upload_bytes", "Bytes of the files that were uploaded")
_analysed = Counter("chorus_analysis_frames", "Source frames in which faces were looked for")
_reused = Counter("chorus_reused", "Times that a stored intermediate spared its computation", ["kind"])
_queue = Gauge("chorus_queue_jobs", "Jobs of the whole installation, by state", ["state"])


def configure_logging(service: str, level: str = "INFO", form: LogForm = "text") -> None:
    """Send this process's log to stderr, one record a line, marked with the service's name and the job at work.

    `json` is for programs that collect it: no name can break a line, and a traceback stays with its record.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_job)
    if form == "json":
        handler.setFormatter(
            JsonFormatter(
                ["levelname", "name", "message", "job_id"],
                rename_fields={"levelname": "level", "name": "logger"},
                static_fields={"service": service},
                timestamp="time",
                json_ensure_ascii=False,
            )
        )
    else:
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {service} %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


@contextmanager
def job_at_work(job_id: str) -> Iterator[None]:
    """Every record of this thread inside the block carries the job's (or batch's) id."""
    token = _job_id.set(job_id)
    try:
        yield
    finally:
        _job_id.reset(token)


def _add_job(record: logging.LogRecord) -> bool:
    if not hasattr(record, "job_id"):
        record.job_id = _job_id.get()
    return True


def job_finished(state: str, family: str, seconds: float) -> None:
    """Count a job that ended in `state`, `seconds` after its start."""
    _jobs.labels(state, family).inc()
    _job_seconds.labels(state).observe(seconds)


def frames_rendered(count: int) -> None:
    """Count frames written to outputs."""
    _frames.inc(count)


def stage_seconds(stage: str, seconds: float) -> None:
    """Record how long one job stayed in `stage`."""
    _stages.labels(stage).observe(seconds)


def upload_received(size: int) -> None:
    """Count one upload of `size` bytes."""
    _uploads.inc()
    _upload_bytes.inc(size)


def analysis_frames(count: int) -> None:
    """Count source frames that were analysed."""
    _analysed.inc(count)


def reused(kind: Literal["track", "speech"]) -> None:
    """Count something that was found stored, and so was not computed again."""
    _reused.labels(kind).inc()


def queue_depth(state: str, count: int) -> None:
    """Set how many jobs are in `state`."""
    _queue.labels(state).set(count)


def metrics_text() -> bytes:
    """All metrics of this process in Prometheus' text format (METRICS_CONTENT_TYPE)."""
    return generate_latest(REGISTRY)
