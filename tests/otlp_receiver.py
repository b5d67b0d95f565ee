"""A collector of traces for tests: a real gRPC server that takes OTLP, and what came to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from services.telemetry.settings import TracingSettings


@dataclass(frozen=True, slots=True)
class Received:
    """One span."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty: the first of its trace"""
    links: tuple[str, ...]
    """Trace ids"""
    failed: bool
    attributes: dict[str, Any] = field(hash=False)
    begin_ns: int
    end_ns: int


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Everything that came, in order."""

    def __init__(self) -> None:
        self.address = ""
        self._lock = threading.Lock()
        self._spans: list[Received] = []

    def Export(  # noqa: N802  # the name in the proto
        self, request: trace_service_pb2.ExportTraceServiceRequest, _context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        new = list(_spans(request))
        with self._lock:
            self._spans += new
        return trace_service_pb2.ExportTraceServiceResponse()

    @property
    def spans(self) -> list[Received]:
        """All so far."""
        with self._lock:
            return list(self._spans)

    def trace_of(self, job_id: str) -> list[Received]:
        """All spans of the trace in which a job's tries are."""
        traces = {each.trace_id for each in self.spans if each.attributes.get("chorus.job.id") == job_id}
        assert len(traces) <= 1, f"{job_id} has {len(traces)} traces"
        return [each for each in self.spans if each.trace_id in traces]

    def wait_for(self, job_id: str, complete: Callable[[list[Received]], bool], seconds: float = 20) -> list[Received]:
        """The trace of a job once it is complete."""
        end = time.monotonic() + seconds
        while not complete(found := self.trace_of(job_id)):
            assert time.monotonic() < end, sorted((each.service, each.name) for each in found)
            time.sleep(0.1)
        return found


def orphans(spans: list[Received]) -> list[str]:
    """Names of the spans whose parent is not among them."""
    known = {each.span_id for each in spans} | {""}
    return [each.name for each in spans if each.parent_id not in known]


@contextmanager
def running_collector(address: str = "http://127.0.0.1:0") -> Iterator[Collector]:
    """A collector on this machine, on a free port unless it shall come back at an address."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port(address.removeprefix("http://"))
    collector.address = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(0).wait(5)


def _spans(request: trace_service_pb2.ExportTraceServiceRequest) -> Iterator[Received]:
    for group in request.resource_spans:
        service = _attributes(group.resource.attributes)["service.name"]
        for span in (span for scope in group.scope_spans for span in scope.spans):
            yield Received(
                service,
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                tuple(link.trace_id.hex() for link in span.links),
                span.status.code == 2,
                _attributes(span.attributes),
                span.start_time_unix_nano,
                span.end_time_unix_nano,
            )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def tracing_settings(address: str, **changes: str) -> TracingSettings:
    """What a process reads of its environment."""
    return TracingSettings.model_validate({"OTEL_EXPORTER_OTLP_ENDPOINT": address, **changes})
