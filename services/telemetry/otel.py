"""The only import of OpenTelemetry, itself imported only where spans are made; see tracing.py."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Timer
from typing import Final

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.telemetry.settings import TracingSettings
from services.telemetry.tracing import NO_SPAN, Attributes, Document, Kind, RecordedSpan, Span, Tracing

_log = logging.getLogger(__name__)

_SCOPE: Final = "chorus"
# A stop waits that long for a collector, and not for the 30 s of the SDK.
_CLOSE_SECONDS: Final = 2.0
# What they would say a batch, or a span, is said once by _Watched.
_TALKATIVE: Final = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal")
# As for the services that we call: a company's web proxy must not get between them.
_CHANNEL_OPTIONS: Final = (("grpc.enable_http_proxy", 0),)
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_NOBODY: Final = NonRecordingSpan(SpanContext(0, 0, is_remote=False))
# Whose spans a worker is told.
_RENDER: Final = Resource({SERVICE_NAME: "chorus-render"})


def open_exporting(service: str, settings: TracingSettings) -> Tracing:
    """Spans go to the collector from a thread of their own; a full queue drops them.

    Sampler, queue, time-outs, certificates and headers are those of the OTEL_* variables, which the SDK reads.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    spoken = OTLPSpanExporter(channel_options=_CHANNEL_OPTIONS)  # type: ignore[arg-type]  # gRPC takes numbers
    exporter = _Watched(spoken, settings.collector)
    resource = Resource.create({SERVICE_NAME: service})
    return _Tracing(TracerProvider(resource=resource, shutdown_on_exit=False), BatchSpanProcessor(exporter), exporter)


def open_telling(tell: Callable[[Document], None]) -> Tracing:
    """Spans are told one by one as they end; whoever hears them exports them."""
    exporter = _Told(tell)
    return _Tracing(TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False), SimpleSpanProcessor(exporter), exporter)


class _Tracing:
    """See tracing.Tracing."""

    def __init__(self, provider: TracerProvider, processor: SpanProcessor, exporter: SpanExporter) -> None:
        provider.add_span_processor(processor)
        self._provider = provider
        self._processor = processor
        self._exporter = exporter
        self._tracer = provider.get_tracer(_SCOPE)

    def start(
        self, name: str, kind: Kind, parent: Span, attributes: Attributes, *, begin_ns: int | None, link: Span | None
    ) -> Span:
        made = _Span(
            self._tracer.start_span(
                name,
                set_span_in_context(_otel_span(parent)),
                SpanKind[kind.upper()],
                attributes,
                [Link(_otel_span(link).get_span_context())] if link is not None and link.traceparent else (),
                begin_ns,
            )
        )
        if link is not None:
            _otel_span(link).add_link(made.otel.get_span_context())
        return made

    def remote(self, traceparent: str) -> Span:
        found = get_current_span(_PROPAGATOR.extract({"traceparent": traceparent}, set_span_in_context(_NOBODY)))
        return _Span(found) if found.get_span_context().is_valid else NO_SPAN

    def take(self, documents: Sequence[Document]) -> None:
        for document in documents:
            try:
                told = _span_of(document, self._provider.resource.merge(_RENDER))
            except (KeyError, TypeError, ValueError) as error:
                _log.warning("a span that a child process has told is unusable: %r", error)
            else:
                self._processor.on_end(told)

    def close(self) -> None:
        # The SDK waits for its thread first; what ends a call under way is the end of the exporter.
        alarm = Timer(_CLOSE_SECONDS, self._exporter.shutdown)
        alarm.daemon = True
        alarm.start()
        self._provider.shutdown()
        alarm.cancel()


class _Span(RecordedSpan):
    """A span of OpenTelemetry's."""

    def __init__(self, otel: OtelSpan) -> None:
        super().__init__()
        self.otel = otel
        self._failed = False
        context = otel.get_span_context()
        self.trace_id = f"{context.trace_id:032x}"
        self.span_id = f"{context.span_id:016x}"
        self.sampled = context.trace_flags.sampled
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(otel))
        self.traceparent = carrier.get("traceparent", "")

    def set(self, attributes: Attributes) -> None:
        self.otel.set_attributes(attributes)

    def rename(self, name: str) -> None:
        self.otel.update_name(name)

    def fail(self, code: str) -> None:
        if self._failed:
            return
        self._failed = True
        self.otel.set_attribute("error.type", code)
        self.otel.set_status(Status(StatusCode.ERROR, code))

    def end(self, end_ns: int | None = None) -> None:
        super().end(end_ns)
        self.otel.end(end_ns)


def _otel_span(span: Span) -> OtelSpan:
    return span.otel if isinstance(span, _Span) else _NOBODY


class _Watched(SpanExporter):
    """Tells once when the collector is away, and once when it is back."""

    def __init__(self, exporter: OTLPSpanExporter, collector: str) -> None:
        self._exporter = exporter
        self._collector = collector
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            _log.warning("no traces reach %s: they are dropped until it takes them", self._collector)
        elif self._away and not away:
            _log.info("traces reach %s again", self._collector)
        self._away = away
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Told(SpanExporter):
    """Tells each span as a JSON document."""

    def __init__(self, tell: Callable[[Document], None]) -> None:
        self._tell = tell

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            self._tell(_document_of(span))
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is kept."""


def _document_of(span: ReadableSpan) -> Document:
    assert span.context is not None
    return {
        "name": span.name,
        "kind": span.kind.name,
        "trace_id": span.context.trace_id,
        "span_id": span.context.span_id,
        "parent_id": span.parent.span_id if span.parent else None,
        "begin_ns": span.start_time,
        "end_ns": span.end_time,
        "attributes": dict(span.attributes or {}),
        "failure": span.status.description if span.status.status_code is StatusCode.ERROR else None,
    }


def _span_of(document: Document, resource: Resource) -> ReadableSpan:
    """What _document_of told, as of the process that `resource` is."""
    trace_id, parent_id, failure = int(document["trace_id"]), document["parent_id"], document["failure"]
    return ReadableSpan(
        str(document["name"]),
        context=_sampled(trace_id, int(document["span_id"])),
        parent=_sampled(trace_id, int(parent_id)) if parent_id is not None else None,
        resource=resource,
        attributes=document["attributes"],
        kind=SpanKind[document["kind"]],
        status=Status(StatusCode.UNSET) if failure is None else Status(StatusCode.ERROR, str(failure)),
        start_time=int(document["begin_ns"]),
        end_time=int(document["end_ns"]),
        instrumentation_scope=InstrumentationScope(_SCOPE),
    )


def _sampled(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
