"""One job inside a worker: its tries, its progress (which is also its cancellation point), and publishing its files."""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from services import telemetry
from services.errors import ChorusError, ErrorKind, unforeseen
from services.folders import make_folder
from services.jobs import attempts, moments, tables
from services.jobs.engine.beginning import find_beginning
from services.jobs.engine.child import RenderChild
from services.jobs.engine.live import Live, live_to_json
from services.jobs.engine.measures import RenderMeasures
from services.jobs.engine.stalls import StallLimits, StallWatch, stalled
from services.jobs.model import JobState, Progress, Stage
from services.jobs.spec import JobSpec, spec_to_json
from services.storage import Storage, storage_error
from services.threaded import within
from services.zygote import Zygote

_log = logging.getLogger(__name__)

_REPORT_SECONDS: Final = 1.0
_MOST_STALLS: Final = 2
_PUBLISHED_A_SECOND: Final = 1 << 20

_T = TypeVar("_T")


class WorkerStopping(BaseException):
    """Unwinds a running job when its worker stops; no Exception, so that nothing records it as the job's failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings:
    """How a worker runs its render children."""

    command: Sequence[str]
    """Of the zygote, which is copied for each try"""
    scratch: Path
    """Local folder for unfinished outputs, of this worker alone"""
    stalls: StallLimits
    retry_delays: Sequence[float] = (2, 5, 10, 15, 30)
    """Seconds to wait before each further try after an error that may pass"""
    hardware: str | None = None
    """The encoder of graphics hardware that works here"""


@dataclass(slots=True)
class _Report:
    """Writes what is known of the running job, at most once a second but at once when the stage changes."""

    write: Callable[[dict[str, Any]], None]
    """Raises a BaseException when the job was cancelled or belongs to another worker now"""
    stopping: threading.Event
    live: Live
    written: float = 0.0

    def progress(self, progress: Progress | None) -> None:
        """Call often, with None when nothing is new."""
        if self.stopping.is_set():
            raise WorkerStopping
        changed = progress is not None and (self.live.progress is None or progress.stage != self.live.progress.stage)
        if progress is not None:
            self.live = replace(self.live, progress=progress)
        if changed or time.monotonic() - self.written >= _REPORT_SECONDS:
            self.flush()

    def flush(self) -> None:
        self.write(live_to_json(self.live))
        self.written = time.monotonic()


class JobRunner:
    """Runs jobs in the calling thread; shared by the worker's threads."""

    def __init__(self, database: sa.Engine, storage: Storage, settings: RenderSettings) -> None:
        self._database = database
        self._storage = storage
        self._settings = settings
        self._folder = settings.scratch / "jobs"
        self._zygote = Zygote(settings.command)
        self.stopping = threading.Event()

    def sweep(self) -> None:
        """Remove what a killed worker left behind; call it before the first job."""
        shutil.rmtree(self._folder, ignore_errors=True)
        make_folder(self._folder)

    def warm(self) -> None:
        """Have loaded what renders need, so that the first one need not wait for it."""
        self._zygote.warm()

    def close(self) -> None:
        """End all renders."""
        self._zygote.close()

    def run(self, job_id: str, write: Callable[[dict[str, Any]], None]) -> None:
        """Render and publish a job; `write` stores its progress and raises a BaseException when it must end here.

        Raises the ChorusError that ended the job, after it was written.
        """
        taken_ns = time.time_ns()
        with telemetry.at_work(job_id=job_id), telemetry.slot_busy():
            spec = self._ask(lambda connection: attempts.find_spec(connection, job_id))
            beginning = self._ask(lambda connection: find_beginning(connection, job_id))
            with telemetry.at_work(batch_id=spec.batch_id), telemetry.trace_continued(beginning.traceparent):
                beginning.record_spans(taken_ns)
                self._run(spec, beginning.cause, write)

    def _run(self, spec: JobSpec, cause: telemetry.AttemptCause, write: Callable[[dict[str, Any]], None]) -> None:
        report = _Report(write, self.stopping, Live(started_ms=moments.now_ms()))
        started = time.monotonic()
        end = "left"  # cancelled, taken over by another worker, or this worker stops
        try:
            size = self._try_until_done(spec, report, cause)
            report.live = replace(report.live, output_bytes=size, finished_ms=moments.now_ms())
            report.flush()
            end = JobState.SUCCEEDED
        except Exception as error:
            failure = _explain(error, spec)
            report.live = replace(report.live, error=failure, finished_ms=moments.now_ms())
            report.flush()
            telemetry.job_failed(failure.kind)
            end = JobState.FAILED
            raise failure from error
        finally:
            seconds = time.monotonic() - started
            _log.info("job %s (%s): %s after %.1f s", spec.job_id, spec.video_name, end, seconds)
            if end != "left":
                telemetry.job_finished(end, spec.options.family, seconds)

    def _try_until_done(self, spec: JobSpec, report: _Report, cause: telemetry.AttemptCause) -> int:
        """Tries until one succeeds, and returns the output's bytes; an error that may pass is tried again, later.

        What hangs three times is given up: each of these tries takes minutes.
        """
        stalls = 0
        for delay in (*self._settings.retry_delays, None):
            try:
                return self._attempt(spec, report, cause)
            except (ChorusError, OSError) as error:
                failure = _explain(error, spec)
                stalls += failure.code == "render-stalled"
                if not _may_pass(failure) or delay is None or stalls > _MOST_STALLS:
                    raise
                _log.warning("job %s: %s; next try in %g s", spec.job_id, failure, delay)
                self._wait(delay, report)
                cause = "error"
        raise AssertionError("the last try returns or raises")

    def _attempt(self, spec: JobSpec, report: _Report, cause: telemetry.AttemptCause) -> int:
        # First the fence, then the count: a worker that lost the job must not count itself.
        report.live = replace(report.live, progress=Progress(stage=Stage.STARTING))
        report.flush()
        number = self._ask(lambda connection: attempts.begin_attempt(connection, spec.job_id))
        if cause == "retried_by_user":
            # What an attempt of before the retry has published: only now, the retry cannot fail any more.
            self._storage.delete(spec.output_key)
            self._storage.delete(spec.poster_key)
        telemetry.attempt_begun(cause)
        about: telemetry.Attributes = {
            "chorus.batch.id": spec.batch_id,
            "chorus.job.id": spec.job_id,
            "chorus.attempt": number,
            "chorus.attempt.cause": cause,
        }
        with telemetry.at_work(attempt=number), telemetry.span("attempt", about, kind="consumer"):
            _log.info("job %s (%s): attempt %d (%s)", spec.job_id, spec.video_name, number, cause)
            try:
                return self._render_and_publish(spec, number, report)
            except WorkerStopping:
                # Nobody's failure: who looks at the job sees no second try.
                with suppress(WorkerStopping):
                    self._ask(lambda connection: attempts.hand_back_attempt(connection, spec.job_id))
                raise

    def _render_and_publish(self, spec: JobSpec, number: int, report: _Report) -> int:
        with self._scratch_folder(spec.job_id) as folder:
            output, poster = folder / "output.mp4", folder / "poster.jpg"
            self._render(spec, number, output, poster, report)
            frames = _last(report).frames_total
            report.progress(replace(_last(report), stage=Stage.PUBLISHING, frames_done=frames, seconds_left=0.0))
            started = time.monotonic()
            with telemetry.span("publish"):
                size = self._publish_in_time(spec, output, poster)
            telemetry.stage_finished("publish", time.monotonic() - started)
            return size

    def _ask(self, question: Callable[[sa.Connection], _T]) -> _T:
        """The database's answer; one that is away or full is waited for, as DBOS does: no job is to blame."""
        while True:
            try:
                with tables.transaction(self._database) as connection:
                    return question(connection)
            except ChorusError as error:
                if error.kind not in (ErrorKind.UNAVAILABLE, ErrorKind.STORAGE_FULL):
                    raise
            if self.stopping.wait(_REPORT_SECONDS):
                raise WorkerStopping

    def _render(self, spec: JobSpec, number: int, output: Path, poster: Path, report: _Report) -> None:
        request = {
            "spec": spec_to_json(spec),
            "output_path": str(output),
            "poster_path": str(poster),
            "attempt": number,
            # A driver that hung or crashed the try before gets no second one.
            "hardware": self._settings.hardware if number == 1 else None,
            "traceparent": telemetry.current_span().traceparent_if_sampled,
        }
        measures = RenderMeasures()
        with RenderChild(self._zygote, request, video_name=spec.video_name) as child:
            for message in child.messages(StallWatch(self._settings.stalls, output.parent)):
                measures.take(message)
                report.progress(message if isinstance(message, Progress) else None)

    def _publish_in_time(self, spec: JobSpec, output: Path, poster: Path) -> int:
        """As _publish, but DEADLINE when the store hangs; what it is sent is then left to the store's own limits."""
        seconds = self._settings.stalls.publishing + output.stat().st_size / _PUBLISHED_A_SECOND
        try:
            return within(seconds, lambda: self._publish(spec, output, poster))
        except TimeoutError as error:
            raise stalled(spec.video_name, round(seconds)) from error

    def _publish(self, spec: JobSpec, output: Path, poster: Path) -> int:
        size = output.stat().st_size
        self._storage.put_file(spec.poster_key, poster, create_only=True)
        if self._storage.put_file(spec.output_key, output, create_only=True):
            telemetry.bytes_published(size)
            return size
        published = self._storage.size(spec.output_key)
        if published != size:
            _log.warning(
                "job %s: another attempt has published %s bytes, this one has %d", spec.job_id, published, size
            )
        return published or size

    def _wait(self, seconds: float, report: _Report) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            report.progress(None)
            self.stopping.wait(min(left, _REPORT_SECONDS))

    @contextmanager
    def _scratch_folder(self, job_id: str) -> Iterator[Path]:
        folder = self._folder / job_id / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # another attempt of a job that came back may be beside it
                folder.parent.rmdir()


def _last(report: _Report) -> Progress:
    return report.live.progress or Progress(stage=Stage.STARTING)


def _may_pass(error: ChorusError) -> bool:
    """Also a full disk: what filled it may be gone soon, and all that waits would fail while it is there."""
    return error.retryable or error.kind is ErrorKind.STORAGE_FULL


def _explain(error: Exception, spec: JobSpec) -> ChorusError:
    """The error in words for the user; what nobody foresaw goes to the log in full."""
    if isinstance(error, ChorusError):
        return error
    if isinstance(error, OSError):
        return storage_error(error, spec.video_name)
    _log.error("job %s failed unexpectedly", spec.job_id, exc_info=error)
    return unforeseen(error, "render-failed", name=spec.video_name, job=spec.job_id)
