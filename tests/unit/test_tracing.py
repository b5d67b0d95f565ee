"""Spans reach a collector as one trace, and one that is away costs nothing but a line in the log."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest

from services import telemetry
from services.jobs.engine.child import Spans
from services.jobs.engine.measures import RenderMeasures
from services.telemetry import tracing
from services.threaded import call_in_threads, iterate_in_threads
from tests.otlp_receiver import Collector, Received, orphans, running_collector, tracing_settings

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = CALLER[:-1] + "0"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """One that this process sends to; what is left is sent by end_tracing()."""
    with running_collector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.address)
        telemetry.configure_tracing("api", tracing_settings(running.address))
        try:
            yield running
        finally:
            telemetry.end_tracing()


def received(collector: Collector) -> dict[str, Received]:
    """By name, once tracing has ended."""
    telemetry.end_tracing()
    return {each.name: each for each in collector.spans}


def test_without_a_collector_nothing_is_made_and_nothing_imported() -> None:
    for settings in (
        tracing_settings(""),
        tracing_settings("http://127.0.0.1:1", OTEL_SDK_DISABLED="TRUE"),
        tracing_settings("http://127.0.0.1:1", OTEL_TRACES_EXPORTER="none"),
        tracing_settings("http://127.0.0.1:1", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"),
    ):
        telemetry.configure_tracing("api", settings)
        with telemetry.trace_continued(CALLER), telemetry.span("work") as span:
            assert (span.trace_id, span.headers, telemetry.hand_over("job", {}, own_trace=True)) == ("", (), "")


def test_a_collector_without_the_packages_is_told_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "services.telemetry.otel", None)
    telemetry.configure_tracing("api", tracing_settings("http://127.0.0.1:1"))
    assert "install chorus[otel]" in caplog.text
    with telemetry.span("work") as span:
        assert span is telemetry.NO_SPAN


def test_a_variable_that_cannot_be_read_costs_the_traces_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
    telemetry.configure_tracing("api", tracing_settings("http://127.0.0.1:1"))
    assert "nothing is traced" in caplog.text
    assert "soon" in caplog.text


def test_the_trace_of_a_caller_goes_on_in_other_processes(collector: Collector) -> None:
    with telemetry.span("request", kind="server", traceparent=CALLER):
        handed = telemetry.hand_over("enqueue job", {"chorus.job.id": "b.0"}, own_trace=False)
    with telemetry.trace_continued(handed), telemetry.span("attempt", {"chorus.attempt": 2}):
        telemetry.record_span("queue wait", 1_000_000, 2_000_000)
    spans = received(collector)
    assert {each.trace_id for each in spans.values()} == {CALLER[3:35]}
    assert spans["request"].parent_id == CALLER[36:52]
    assert spans["enqueue job"].parent_id == spans["request"].span_id
    assert spans["attempt"].parent_id == spans["enqueue job"].span_id
    assert spans["queue wait"].parent_id == spans["attempt"].span_id
    assert (spans["queue wait"].begin_ns, spans["queue wait"].end_ns) == (1_000_000, 2_000_000)
    assert spans["attempt"].attributes == {"chorus.attempt": 2}
    assert {each.service for each in spans.values()} == {"chorus-api"}


def test_jobs_of_a_larger_batch_have_traces_of_their_own_linked_both_ways(collector: Collector) -> None:
    with telemetry.span("create batch"):
        handed = [telemetry.hand_over(f"job {number}", {}, own_trace=True) for number in range(2)]
    spans = received(collector)
    own = [each[3:35] for each in handed]
    assert len({*own, spans["create batch"].trace_id}) == 3
    assert spans["create batch"].links == tuple(own)
    assert spans["job 0"].links == (spans["create batch"].trace_id,)
    assert spans["job 0"].parent_id == ""


@pytest.mark.parametrize("origin", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_what_is_no_traceparent_begins_a_new_trace(collector: Collector, origin: str) -> None:
    with telemetry.span("request", traceparent=origin):
        pass
    assert received(collector)["request"].parent_id == ""


def test_a_caller_that_does_not_sample_is_followed(collector: Collector) -> None:
    with telemetry.span("request", traceparent=NOT_SAMPLED) as span:
        assert span.headers[0][1].endswith("-00")
        assert span.traceparent_if_sampled == ""
    assert received(collector) == {}


def test_hundreds_of_calls_are_one_span_each_kind(collector: Collector) -> None:
    with telemetry.span("render"):
        for number in range(300):
            telemetry.current_span().note_call("triton mouth_renderer", 8, 0.25, failed=number == 7)
        telemetry.current_span().note_call("triton speech", 1, 0.5, failed=False)
    spans = received(collector)
    assert set(spans) == {"render", "triton mouth_renderer", "triton speech"}
    calls = spans["triton mouth_renderer"]
    assert calls.parent_id == spans["render"].span_id
    assert calls.attributes == {
        "chorus.calls": 300,
        "chorus.rows": 2400,
        "chorus.failures": 1,
        "chorus.busy_seconds": 75.0,
        "chorus.slowest_seconds": 0.25,
    }


def test_an_error_marks_its_span_and_a_reader_that_leaves_does_not(collector: Collector) -> None:
    def items() -> Generator[int]:
        with telemetry.detached_span("stream"):
            yield 1

    with pytest.raises(ZeroDivisionError), telemetry.span("broken"):
        raise ZeroDivisionError
    reading = items()
    next(reading)
    assert telemetry.current_span() is telemetry.NO_SPAN
    reading.close()
    spans = received(collector)
    assert spans["broken"].failed
    assert spans["broken"].attributes == {"error.type": "ZeroDivisionError"}
    assert not spans["stream"].failed


def test_work_in_threads_belongs_to_the_span_that_asked_for_it(collector: Collector) -> None:
    def items() -> Iterator[int]:
        with telemetry.span("analysis"):
            yield from range(3)

    def call() -> None:
        with telemetry.span("call"):
            pass

    async def serve(pool: ThreadPoolExecutor) -> list[int]:
        with telemetry.span("stream"):
            await call_in_threads(pool, call)
            async with aclosing(iterate_in_threads(items(), pool)) as found:
                return [item async for item in found]

    with ThreadPoolExecutor(4) as pool:
        assert asyncio.run(serve(pool)) == [0, 1, 2]
    spans = received(collector)
    assert spans["analysis"].parent_id == spans["call"].parent_id == spans["stream"].span_id


def test_what_a_child_tells_reaches_the_collector_of_its_worker(collector: Collector) -> None:
    with telemetry.span("attempt") as attempt:
        told = told_by_a_child(attempt.traceparent_if_sampled)
        RenderMeasures().take(Spans(json.loads(json.dumps(told))))
        telemetry.spans_told([{"name": "odd"}])
    spans = received(collector)
    assert set(spans) == {"attempt", "render", "fetch"}
    assert spans["render"].parent_id == spans["attempt"].span_id
    assert spans["fetch"].parent_id == spans["render"].span_id
    assert spans["render"].service == "chorus-render"
    assert spans["fetch"].failed
    assert orphans(list(spans.values())) == []


def told_by_a_child(traceparent: str) -> list[telemetry.Document]:
    """What a render child says, made here with its own tracing, while the process's own is put aside."""
    own, tracing._tracing = tracing._tracing, None
    told: list[telemetry.Document] = []
    try:
        telemetry.tell_spans(traceparent, told.append)
        with (
            telemetry.trace_continued(traceparent),
            telemetry.span("render", {"chorus.family": "default"}),
            pytest.raises(ValueError, match="away"),
            telemetry.span("fetch"),
        ):
            raise ValueError("away")
    finally:
        telemetry.end_tracing()
        tracing._tracing = own
    return told


def test_a_histogram_shows_the_trace_to_whom_openmetrics_is_known(collector: Collector) -> None:
    with telemetry.span("attempt") as span:
        telemetry.stage_finished("traced stage", 0.3)
    telemetry.stage_finished("traced stage", 7.0)
    text, content_type = telemetry.metrics_text("application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text")
    rows = [line for line in text.decode().splitlines() if 'stage="traced stage"' in line and " # " in line]
    assert [row.partition(" # ")[2].split("} ")[0] for row in rows] == [f'{{trace_id="{span.trace_id}"']
    plain, content_type = telemetry.metrics_text("text/plain")
    assert content_type.startswith("text/plain")
    assert span.trace_id not in plain.decode()


def test_records_carry_the_ids_of_what_is_at_work(collector: Collector, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        telemetry.configure_logging("worker", "INFO", "json")
        with (
            telemetry.at_work(job_id="b.0"),
            telemetry.at_work(batch_id="b", attempt=2),
            telemetry.span("attempt") as span,
        ):
            logging.getLogger("services.z").info("clip\r\n\x1b[31m\x85\u2028\udcff 多人.mp4")
        logging.getLogger("services.z").info("nothing at work")
    finally:
        logging.basicConfig(force=True)
    inside, outside = map(json.loads, capfd.readouterr().err.splitlines())
    ids = {"job_id": "b.0", "batch_id": "b", "attempt": 2, "trace_id": span.trace_id, "span_id": span.span_id}
    assert {name: inside.get(name) for name in ids} == ids
    assert inside.keys() - ids.keys() == outside.keys() == {"time", "level", "logger", "message", "service"}
    assert inside["message"] == "clip\r\n\x1b[31m\x85\u2028\udcff 多人.mp4"


def test_no_name_breaks_a_line_of_text_but_a_traceback_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        telemetry.configure_logging("worker", "INFO", "text")
        logging.getLogger("services.z").info("clip\n\x1b[31m\u2028 多人.mp4")
        try:
            raise ValueError("odd")
        except ValueError:
            logging.getLogger("services.z").exception("failed")
    finally:
        logging.basicConfig(force=True)
    first, *others = capfd.readouterr().err.splitlines()
    assert first.endswith("services.z: clip\\n\\u001b[31m\\u2028 多人.mp4")
    assert others[-1] == "ValueError: odd"
