"""The process that renders one job: a JSON document on stdin, JSON lines on stdout, and it dies with its worker."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services import telemetry
from services.errors import ChorusError, ErrorKind, error_to_json, unforeseen
from services.jobs.imported import IMPORTED
from services.jobs.model import Progress, Stage
from services.jobs.spec import JobSpec, spec_from_json
from services.preprocess.client import PreprocessClient
from services.render.line import Rendered, RenderServices, render
from services.render.settings import RenderProcessSettings
from services.storage import Storage, storage_error
from services.triton import TritonClient

Emit = Callable[[Mapping[str, Any]], None]

_log = logging.getLogger(__name__)
_REPORT_SECONDS = 0.5


def run(settings: RenderProcessSettings) -> int:
    """Render the job on stdin; 0 when it succeeded, 1 when it failed. The last line on stdout says which and why."""
    IMPORTED.look_in(settings.families)
    request = json.load(sys.stdin)
    spec = spec_from_json(request["spec"])
    speaker, traceparent = Speaker(_emit), str(request.get("traceparent", ""))
    telemetry.tell_spans(traceparent, speaker.note_span)
    with (
        telemetry.at_work(job_id=spec.job_id, batch_id=spec.batch_id, attempt=int(request.get("attempt", 0))),
        telemetry.trace_continued(traceparent),
    ):
        try:
            output, poster = Path(request["output_path"]), Path(request["poster_path"])
            rendered = _render(spec, settings, output, poster, speaker, request.get("hardware"))
        except Exception as error:
            failure = _failure(error, spec)
            speaker.say({"failed": error_to_json(failure)})
            return 1
    speaker.say({"succeeded": asdict(rendered)})
    return 0


class Speaker:
    """Says one document after the other, before each the calls to Triton and the spans that ended since the last.

    The worker is who is scraped: this process is gone before anybody could look at metrics of its own.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._calls: deque[tuple[str, int, float, str]] = deque()
        self._spans: deque[telemetry.Document] = deque()

    def note_call(self, model: str, rows: int, seconds: float, failure: str) -> None:
        """Keep one call to Triton for the next document; from any thread."""
        self._calls.append((model, rows, round(seconds, 6), failure))

    def note_span(self, span: telemetry.Document) -> None:
        """Keep one span for the next document; from any thread."""
        self._spans.append(span)

    def say(self, document: Mapping[str, Any]) -> None:
        """Emit the calls, the spans and the document."""
        for name, kept in (("inferences", self._calls), ("spans", self._spans)):
            if new := [kept.popleft() for _ in range(len(kept))]:
                self._emit({name: new})
        self._emit(document)


def report_to(emit: Emit) -> Callable[[Progress], None]:
    """A report that emits every new stage at once, and progress inside a stage at most twice a second."""
    last_stage: Stage | None = None
    last_time = 0.0

    def report(progress: Progress) -> None:
        nonlocal last_stage, last_time
        now = time.monotonic()
        if progress.stage is last_stage and now - last_time < _REPORT_SECONDS:
            return
        last_stage, last_time = progress.stage, now
        emit({"progress": {**asdict(progress), "stage": progress.stage.value}})

    return report


def _render(
    spec: JobSpec,
    settings: RenderProcessSettings,
    output: Path,
    poster: Path,
    speaker: Speaker,
    hardware: str | None,
) -> Rendered:
    # Copies for FFmpeg lie beside the output: the worker removes that folder even when this process is killed.
    storage, patience = Storage(settings.store_url, output.parent), settings.stall_seconds
    preprocess = PreprocessClient(settings.preprocess_address, tls=settings.preprocess_tls, timeout_seconds=patience)
    with (
        telemetry.span("render", {"chorus.family": spec.options.family}),
        closing(preprocess),
        closing(
            TritonClient(
                settings.triton_url, tls=settings.triton_tls, timeout_seconds=patience, observe=speaker.note_call
            )
        ) as triton,
    ):
        services = RenderServices(storage, preprocess, triton, hardware)
        return render(spec, services, output, poster, report_to(speaker.say))


def _failure(error: Exception, spec: JobSpec) -> ChorusError:
    """What the user is told about `error`."""
    if isinstance(error, ChorusError):
        return error
    if isinstance(error, OSError):
        return storage_error(error, spec.output_key)
    if isinstance(error, MemoryError):
        return ChorusError(ErrorKind.TOO_LARGE, "render-needs-too-much", name=spec.video_name)
    _log.error("rendering %s failed", spec.video_name, exc_info=error)
    return unforeseen(error, "render-failed", name=spec.video_name, job=spec.job_id)


def _emit(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
