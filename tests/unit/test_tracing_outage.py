"""A collector of traces that is away costs nothing but a line in the log."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services import telemetry
from services.local.ports import free_port
from tests.otlp_receiver import running_collector, tracing_settings


@pytest.mark.parametrize("silent", [False, True])
def test_a_collector_that_is_away_costs_a_line_and_no_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, silent: bool
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "30" if silent else "0.2")
    with listener_that_never_answers() as port:
        address = f"http://127.0.0.1:{port if silent else free_port()}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        telemetry.configure_tracing("worker", tracing_settings(address))
        started = time.monotonic()
        for _ in range(1000):
            with telemetry.span("work"):
                pass
        assert time.monotonic() - started < 2
        if not silent:
            wait_for(caplog, "no traces reach")
            for _ in range(20):
                with telemetry.span("work"):
                    time.sleep(0.02)
        started = time.monotonic()
        telemetry.end_tracing()
        assert time.monotonic() - started < 5
    assert len([each for each in caplog.records if each.levelno >= logging.WARNING]) == 1, caplog.text
    assert not [each for each in threading.enumerate() if each.name.startswith("OtelBatch")]


def test_a_collector_that_comes_back_is_told_and_gets_what_is_new(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    with running_collector() as collector:
        address = collector.address
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    telemetry.configure_tracing("worker", tracing_settings(address))
    with telemetry.span("lost"):
        pass
    wait_for(caplog, "no traces reach")
    with running_collector(address) as collector:
        for _ in range(100):
            with telemetry.span("found"):
                time.sleep(0.05)
            if collector.spans:
                break
        wait_for(caplog, "traces reach")
        telemetry.end_tracing()
        assert {each.name for each in collector.spans} == {"found"}
    assert f"traces reach {address} again" in caplog.text


@contextmanager
def listener_that_never_answers() -> Iterator[int]:
    """The port of one that takes connections and is silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def wait_for(caplog: pytest.LogCaptureFixture, text: str) -> None:
    end = time.monotonic() + 10
    while text not in caplog.text:
        assert time.monotonic() < end
        time.sleep(0.05)
