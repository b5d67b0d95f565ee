"""Logs on stderr and the metrics of a process; the only import of prometheus_client. Imports nothing of ours."""

from __future__ import annotations

import logging
import sys
from typing import Final, Literal

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)

METRICS_CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

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


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send this process's log to stderr, one line a record, marked with the service's name."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format=f"%(asctime)s %(levelname)s {service} %(name)s: %(message)s",
        force=True,
    )


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


def reused(kind: Literal["track", "speech", "coefficients"]) -> None:
    """Count something that was found stored, and so was not computed again."""
    _reused.labels(kind).inc()


def queue_depth(state: str, count: int) -> None:
    """Set how many jobs are in `state`."""
    _queue.labels(state).set(count)


def metrics_text() -> bytes:
    """All metrics of this process in Prometheus' text format (METRICS_CONTENT_TYPE)."""
    return generate_latest(REGISTRY)


def serve_metrics(port: int, host: str) -> None:
    """Serve /metrics from a daemon thread; port 0 means none."""
    if port:
        start_http_server(port, addr=host)
