"""Every metric that something counts as it happens. Labels take values of closed sets, never ids or file names."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Final, Literal, get_args

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from services.telemetry.tracing import current_span

# Their moments are in Prometheus itself, and they would double the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has left it without types

AttemptCause = Literal["new", "retried_by_user", "error", "worker_died", "worker_drained"]
AnalysisKind = Literal["track", "speech", "states"]
LookupResult = Literal["hit", "miss"]
Door = Literal["rest", "grpc"]

_MINUTES: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_STAGE_SECONDS: Final = (0.1, 0.2, 0.5, *_MINUTES)
_CALL_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
_RATIOS: Final = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MOST_OWNERS: Final = 200

_jobs_created = Counter("chorus_jobs_created", "Jobs that were asked for", ["owner", "family"])
_video_requested = Counter("chorus_requested_video_seconds", "Video that was asked for: speech times videos", ["owner"])
_uploads = Counter("chorus_uploads", "Files that were uploaded and accepted")
_uploaded_bytes = Counter("chorus_uploaded_bytes", "Bytes of the files that were uploaded and accepted", ["owner"])
_downloaded_bytes = Counter("chorus_downloaded_bytes", "Bytes of stored files that were sent to clients")
_http_requests = Counter("chorus_http_requests", "Requests to REST and the page", ["method", "route", "code"])
_http_seconds = Histogram(
    "chorus_http_response_start_seconds",
    "From a request to the first byte of its answer",
    ["route"],
    buckets=_CALL_SECONDS,
)
_grpc_requests = Counter("chorus_grpc_requests", "gRPC calls that ended, by status", ["method", "code"])
_grpc_seconds = Histogram(
    "chorus_grpc_request_duration_seconds",
    "gRPC calls with one answer, from start to end",
    ["method"],
    buckets=_CALL_SECONDS,
)
_refusals = Counter("chorus_refusals", "Requests that were answered with an error", ["door", "kind", "code"])

_jobs_finished = Counter("chorus_jobs_finished", "Jobs that a worker brought to an end", ["outcome", "family"])
_job_failures = Counter("chorus_job_failures", "Jobs that failed, by the kind of error", ["kind"])
_job_seconds = Histogram(
    "chorus_job_duration_seconds", "A job in the hands of a worker, all its tries", ["outcome"], buckets=_MINUTES
)
_attempts = Counter("chorus_job_attempts", "Tries that were begun, by what made them necessary", ["cause"])
_frames = Counter("chorus_rendered_frames", "Frames that were written, of outputs that failed later as well")
_video_seconds = Counter("chorus_rendered_video_seconds", "Length of the outputs that were rendered")
_render_seconds = Histogram("chorus_render_duration_seconds", "One render that succeeded", buckets=_MINUTES)
_realtime = Histogram("chorus_render_realtime_ratio", "Seconds of output per second of rendering", buckets=_RATIOS)
_stages = Histogram("chorus_stage_duration_seconds", "One stage of one render", ["stage"], buckets=_STAGE_SECONDS)
_published_bytes = Counter("chorus_published_bytes", "Bytes of the outputs that were put into the store")
_slots = Gauge("chorus_worker_slots", "Jobs that this worker may have in hand")
_busy = Gauge("chorus_worker_slots_busy", "Jobs that this worker has in hand")

_analysed_frames = Counter("chorus_analysed_frames", "Source frames in which faces were looked for")
_analysis_seconds = Histogram(
    "chorus_analysis_duration_seconds", "The analysis of one video or recording", ["kind"], buckets=_STAGE_SECONDS
)
_cache_lookups = Counter("chorus_cache_lookups", "Analyses that were found stored, or not", ["kind", "result"])

_inference_seconds = Histogram(
    "chorus_inference_duration_seconds",
    "One answered call to Triton, as its client sees it",
    ["model"],
    buckets=_CALL_SECONDS,
)
_inference_rows = Histogram("chorus_inference_batch_size", "Rows of one call to Triton", ["model"], buckets=_ROWS)
_inferences = Counter("chorus_inferences", "Calls to Triton, by ok or the kind of error", ["model", "outcome"])
_disk_free = Gauge("chorus_disk_free_bytes", "Room left where this process keeps files", ["place"])
_disk_least = Gauge("chorus_disk_least_free_bytes", "Room that uploads and batches leave on the disks of this process")
_dependency_up = Gauge("chorus_dependency_up", "Whether what jobs need answers this process", ["dependency"])

# What may be counted is shown from nought: a series that begins at one is no increase to Prometheus.
for _kind in get_args(AnalysisKind):
    _analysis_seconds.labels(_kind)
    for _result in get_args(LookupResult):
        _cache_lookups.labels(_kind, _result)
for _cause in get_args(AttemptCause):
    _attempts.labels(_cause)

_owners: set[str] = set()
_owners_lock = threading.Lock()


def jobs_created(owner: str, family: str, count: int, video_seconds: float) -> None:
    """Count the jobs of a new batch; `owner` as owner_shown gives it, `video_seconds` of output in all."""
    label = _owner_label(owner)
    _jobs_created.labels(label, family).inc(count)
    _video_requested.labels(label).inc(video_seconds)


def upload_received(owner: str, size: int) -> None:
    """Count one upload of `size` bytes; `owner` as owner_shown gives it."""
    _uploads.inc()
    _uploaded_bytes.labels(_owner_label(owner)).inc(size)


def bytes_downloaded(size: int) -> None:
    """Count bytes of a stored file that go to a client."""
    _downloaded_bytes.inc(size)


def http_answered(method: str, route: str, code: int, seconds: float) -> None:
    """Count a request; `route` is the path as the router knows it, `seconds` those until the answer began."""
    _http_requests.labels(method if method in _METHODS else "other", route, str(code)).inc()
    _observe(_http_seconds.labels(route), seconds)


def grpc_answered(method: str, code: str) -> None:
    """Count a call; `method` is one that this server has, `code` the name of its status."""
    _grpc_requests.labels(method, code).inc()


def grpc_duration(method: str, seconds: float) -> None:
    """Record how long a call with one answer took; a stream lasts as long as its listener wishes."""
    _observe(_grpc_seconds.labels(method), seconds)


def refused(door: Door, kind: str, code: str) -> None:
    """Count an error that a door answered with."""
    _refusals.labels(door, kind, code).inc()


def job_finished(outcome: str, family: str, seconds: float) -> None:
    """Count a job that ended as `outcome` (succeeded, failed) `seconds` after this worker took it."""
    _jobs_finished.labels(outcome, family).inc()
    _observe(_job_seconds.labels(outcome), seconds)


def job_failed(kind: str) -> None:
    """Count why a job failed."""
    _job_failures.labels(kind).inc()


def attempt_begun(cause: AttemptCause) -> None:
    """Count one try of a job."""
    _attempts.labels(cause).inc()


def frames_rendered(count: int) -> None:
    """Count frames written to outputs."""
    _frames.inc(count)


def render_finished(video_seconds: float, seconds: float) -> None:
    """Record a render that made `video_seconds` of output in `seconds`."""
    _video_seconds.inc(video_seconds)
    _observe(_render_seconds, seconds)
    _observe(_realtime, video_seconds / seconds)


def stage_finished(stage: str, seconds: float) -> None:
    """Record how long one render spent in `stage`."""
    _observe(_stages.labels(stage), seconds)


def bytes_published(size: int) -> None:
    """Count the bytes of an output that was put into the store."""
    _published_bytes.inc(size)


def worker_starts(slots: int, families: Iterable[str], failures: Iterable[str]) -> None:
    """Set how many jobs this worker may have in hand, and show from nought what it may count."""
    _slots.set(slots)
    for outcome, family in product(("succeeded", "failed"), families):
        _jobs_finished.labels(outcome, family)
    for kind in failures:
        _job_failures.labels(kind)


@contextmanager
def slot_busy() -> Iterator[None]:
    """One more job is in hand inside the block."""
    with _busy.track_inprogress():
        yield


def analysed_frames(count: int) -> None:
    """Count source frames that were analysed."""
    _analysed_frames.inc(count)


def analysis_finished(kind: AnalysisKind, seconds: float) -> None:
    """Record how long the analysis of one video or recording took."""
    _observe(_analysis_seconds.labels(kind), seconds)


def cache_lookup(kind: AnalysisKind, result: LookupResult) -> None:
    """Count an analysis that was asked for: a hit spares its computation."""
    _cache_lookups.labels(kind, result).inc()


def inference(model: str, rows: int, seconds: float, failure: str = "") -> None:
    """Record one call to Triton with a batch of `rows`; `failure` is the kind of its error, empty for none."""
    _inferences.labels(model, failure or "ok").inc()
    if failure:
        return
    _observe(_inference_rows.labels(model), rows)
    _observe(_inference_seconds.labels(model), seconds)


def dependency_looked_at(name: str, answers: bool) -> None:
    """Show whether something that jobs need answered just now."""
    _dependency_up.labels(name).set(answers)


def disk_watched(place: Literal["store", "scratch"], free: Callable[[], int | None]) -> None:
    """Show what `free` says, in bytes, at every scrape; None now: nothing is shown (a bucket)."""

    def look() -> float:
        try:
            found = free()
        except OSError:
            return math.nan
        return math.nan if found is None else found

    if free() is not None:
        _disk_free.labels(place).set_function(look)


def disk_kept_free(least: int) -> None:
    """Show how many bytes this process leaves free on its disks for what runs."""
    _disk_least.set(least)


def _observe(histogram: Histogram, value: float) -> None:
    """Record a value with the trace that it belongs to, where there is one that a collector has."""
    span = current_span()
    histogram.observe(value, {"trace_id": span.trace_id} if span.sampled else None)


def _owner_label(owner: str) -> str:
    """The owner, unless there are too many: logins are few, but a label must stay bounded whatever they are."""
    with _owners_lock:
        if owner not in _owners and len(_owners) >= _MOST_OWNERS:
            return "(other)"
        _owners.add(owner)
        return owner
