"""Spans: what one job did in every process, as one trace. Nothing happens while no collector is named.

OpenTelemetry itself is imported in otel.py only, and only once it is needed; docs/tracing.md lists the spans. A span's
attributes are ids and numbers, never the names of files.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from services.telemetry.settings import TracingSettings

_log = logging.getLogger(__name__)

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float | bool]
Document = Mapping[str, Any]
"""A span as one process tells it to another"""


@dataclass(slots=True)
class _Calls:
    """Calls of one kind inside a span: hundreds of them are one span, or a trace would be nothing else."""

    begin_ns: int
    end_ns: int = 0
    calls: int = 0
    rows: int = 0
    failures: int = 0
    busy_seconds: float = 0.0
    slowest_seconds: float = 0.0

    def attributes(self) -> Attributes:
        return {
            "chorus.calls": self.calls,
            "chorus.rows": self.rows,
            "chorus.failures": self.failures,
            "chorus.busy_seconds": round(self.busy_seconds, 6),
            "chorus.slowest_seconds": round(self.slowest_seconds, 6),
        }


class Span:
    """A piece of work. This one is nobody's: there while nothing is traced, and every call of it does nothing."""

    traceparent: str = ""
    """How another process goes on with it, as W3C's header has it; empty: there is nothing to go on with"""
    trace_id: str = ""
    """32 hexadecimal digits, or empty"""
    span_id: str = ""
    """16 hexadecimal digits, or empty"""
    sampled: bool = False
    """Whether it will be found in a collector"""

    @property
    def traceparent_if_sampled(self) -> str:
        """For a process that tells its spans: nobody would hear of others."""
        return self.traceparent if self.sampled else ""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What a call takes along as metadata."""
        return (("traceparent", self.traceparent),) if self.traceparent else ()

    def set(self, attributes: Attributes) -> None:
        """Say more about it."""

    def rename(self, name: str) -> None:
        """Give it the name that was not known at its start."""

    def fail(self, code: str) -> None:
        """Mark it as failed; the first word counts."""

    def end(self, end_ns: int | None = None) -> None:
        """It ends now, or ended then (nanoseconds since 1970)."""

    def note_call(self, name: str, rows: int, seconds: float, *, failed: bool) -> None:
        """Count a call that ended now; all of one name become one span below this one. From any thread."""


class RecordedSpan(Span):
    """What every real span has beside OpenTelemetry's own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[str, _Calls] = {}

    def note_call(self, name: str, rows: int, seconds: float, *, failed: bool) -> None:
        now = time.time_ns()
        with self._lock:
            calls = self._calls.setdefault(name, _Calls(now - int(seconds * 1e9)))
            calls.end_ns = now
            calls.calls += 1
            calls.rows += rows
            calls.failures += failed
            calls.busy_seconds += seconds
            calls.slowest_seconds = max(calls.slowest_seconds, seconds)

    def end(self, end_ns: int | None = None) -> None:
        with self._lock:
            noted = list(self._calls.items())
        for name, calls in noted:
            _record(name, calls.begin_ns, calls.end_ns, calls.attributes(), self)


class Tracing(Protocol):
    """What makes real spans."""

    def start(
        self, name: str, kind: Kind, parent: Span, attributes: Attributes, *, begin_ns: int | None, link: Span | None
    ) -> Span:
        """A span below `parent`, or the first of a new trace where that is nobody's; `link`: linked both ways."""

    def remote(self, traceparent: str) -> Span:
        """The span of another process; nobody's when the text is none."""

    def take(self, documents: Sequence[Document]) -> None:
        """Send on spans that another process has told."""

    def close(self) -> None:
        """Send what is left, within seconds."""


NO_SPAN: Final = Span()
_current: ContextVar[Span] = ContextVar("span", default=NO_SPAN)
_tracing: Tracing | None = None


def configure_tracing(service: str, settings: TracingSettings) -> None:
    """Send this process's spans to the collector of `settings`; without one nothing happens, and nothing is imported.

    Nothing that is wrong with tracing keeps a process from its work: it is told in the log.
    """
    if not settings.wants_traces:
        return
    if not settings.is_spoken:
        _log.warning("nothing is traced: OTEL_EXPORTER_OTLP_PROTOCOL must be grpc")
        return
    try:
        from services.telemetry.otel import open_exporting

        _use(open_exporting(settings.otel_service_name or f"chorus-{service}", settings))
    except ImportError as error:
        _log.warning("nothing is traced: %s; a collector is named, so install chorus[otel]", error)
    except Exception as error:  # the SDK raises what it likes for a variable that it cannot read
        _log.warning("nothing is traced, one of the OTEL_ variables cannot be used: %s", error)


def tell_spans(traceparent: str, tell: Callable[[Document], None]) -> None:
    """In a process that lives for one job: `tell` hears of every span; without a `traceparent` nothing is traced."""
    if not traceparent:
        return
    from services.telemetry.otel import open_telling

    _use(open_telling(tell))


def spans_told(documents: Sequence[Document]) -> None:
    """Take what a child process has told."""
    if _tracing is not None:
        _tracing.take(documents)


def end_tracing() -> None:
    """Send what is left, within seconds; from now on nothing is traced. A process that ends does it by itself."""
    global _tracing
    if _tracing is not None:
        tracing, _tracing = _tracing, None
        tracing.close()


def current_span() -> Span:
    """The span that is at work here."""
    return _current.get()


@contextmanager
def trace_continued(traceparent: str | None) -> Iterator[None]:
    """Inside the block spans belong to the trace of `traceparent`, which comes from another process."""
    with _made_current(_tracing.remote(traceparent) if _tracing is not None and traceparent else NO_SPAN):
        yield


@contextmanager
def span(
    name: str, attributes: Attributes | None = None, *, kind: Kind = "internal", traceparent: str = ""
) -> Iterator[Span]:
    """The block as a span below the current one, or below that of `traceparent`; an exception marks it as failed."""
    with detached_span(name, attributes, kind=kind, traceparent=traceparent) as made, _made_current(made):
        yield made


@contextmanager
def detached_span(
    name: str, attributes: Attributes | None = None, *, kind: Kind = "internal", traceparent: str = ""
) -> Iterator[Span]:
    """As span(), but not the current one inside the block: for generators, which lend their context to their reader."""
    if _tracing is None:
        yield NO_SPAN
        return
    above = _tracing.remote(traceparent) if traceparent else _current.get()
    made = _tracing.start(name, kind, above, attributes or {}, begin_ns=None, link=None)
    try:
        yield made
    except GeneratorExit:  # the reader wants no more
        raise
    except BaseException as error:
        made.fail(str(getattr(error, "code", type(error).__name__)))
        raise
    finally:
        made.end()


def record_span(name: str, begin_ns: int, end_ns: int, attributes: Attributes | None = None) -> None:
    """A span below the current one of what has already ended; nanoseconds since 1970."""
    _record(name, begin_ns, end_ns, attributes or {}, _current.get())


def hand_over(name: str, attributes: Attributes, *, own_trace: bool) -> str:
    """The traceparent by which another process goes on later; empty while nothing is traced.

    `own_trace` begins a trace with it, linked with the current span both ways.
    """
    if _tracing is None:
        return ""
    above = _current.get()
    made = _tracing.start(
        name,
        "producer",
        NO_SPAN if own_trace else above,
        attributes,
        begin_ns=None,
        link=above if own_trace else None,
    )
    made.end()
    return made.traceparent


def _record(name: str, begin_ns: int, end_ns: int, attributes: Attributes, above: Span) -> None:
    if _tracing is not None:
        _tracing.start(name, "internal", above, attributes, begin_ns=begin_ns, link=None).end(max(begin_ns, end_ns))


@contextmanager
def _made_current(made: Span) -> Iterator[None]:
    token = _current.set(made)
    try:
        yield
    finally:
        # A stream that nobody reads on is closed by whoever finds it, in a context of its own.
        with suppress(ValueError):
            _current.reset(token)


def _use(tracing: Tracing) -> None:
    global _tracing
    end_tracing()
    _tracing = tracing
    atexit.register(end_tracing)
