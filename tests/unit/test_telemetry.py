"""Logs and metrics come out as they are named."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.jobs.owners import owner_shown
from services.telemetry import QueueDepth, metrics
from services.telemetry.queue import QueueCollector
from tests.measures import metric

DEPTH = QueueDepth({"queued": 7, "running": 1}, 42.5, 3)


def test_what_a_worker_counts_is_found_under_its_name() -> None:
    finished = metric("chorus_jobs_finished_total", outcome="succeeded", family="default")
    rendered = metric("chorus_rendered_video_seconds_total")
    telemetry.job_finished("succeeded", "default", 12.0)
    telemetry.render_finished(video_seconds=6.0, seconds=12.0)
    assert metric("chorus_jobs_finished_total", outcome="succeeded", family="default") == finished + 1
    assert metric("chorus_rendered_video_seconds_total") == rendered + 6
    assert metric("chorus_render_realtime_ratio_bucket", le="0.5") >= 1


def test_a_call_to_triton_that_fails_is_not_taken_for_a_fast_one() -> None:
    telemetry.inference("some_model", 8, 0.02)
    telemetry.inference("some_model", 8, 60.0, ErrorKind.DEADLINE)
    assert metric("chorus_inference_batch_size_sum", model="some_model") == 8
    assert metric("chorus_inference_duration_seconds_count", model="some_model") == 1
    assert metric("chorus_inferences_total", model="some_model", outcome="deadline") == 1


def test_a_slot_is_busy_as_long_as_its_job() -> None:
    with telemetry.slot_busy():
        assert metric("chorus_worker_slots_busy") == 1
    assert metric("chorus_worker_slots_busy") == 0


def test_owners_are_logins_or_one_of_two_kinds_and_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [owner_shown(each) for each in ("anna", "anon-0123", "")] == ["anna", "(anonymous)", "(program)"]
    monkeypatch.setattr(metrics, "_owners", {f"user{number}" for number in range(200)})
    telemetry.upload_received("one.more", 5)
    telemetry.upload_received("user7", 6)
    assert metric("chorus_uploaded_bytes_total", owner="(other)") == 5
    assert metric("chorus_uploaded_bytes_total", owner="user7") == 6


def test_strange_methods_are_one_label() -> None:
    telemetry.http_answered("BREW", "/pot", 405, 0.01)
    assert metric("chorus_http_requests_total", method="other", route="/pot", code="405") == 1


def test_a_disk_is_shown_where_there_is_one() -> None:
    telemetry.disk_watched("store", lambda: None)
    assert 'place="store"' not in telemetry.metrics_text()[0].decode()
    telemetry.disk_watched("store", lambda: 1000)
    assert metric("chorus_disk_free_bytes", place="store") == 1000


def collected(collector: QueueCollector) -> dict[str, float]:
    """What a scrape shows."""
    samples = (sample for family in collector.collect() for sample in family.samples)
    return {"".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


def test_a_scrape_shows_the_queue_and_looks_once_in_some_seconds() -> None:
    looks: list[int] = []

    def find() -> QueueDepth:
        looks.append(1)
        return DEPTH

    collector = QueueCollector(find, kept_seconds=0.2)
    shown = {
        "chorus_database_up": 1,
        "chorus_jobsqueued": 7,
        "chorus_jobsrunning": 1,
        "chorus_queue_oldest_age_seconds": 42.5,
        "chorus_workers": 3,
    }
    assert collected(collector) == shown
    assert collected(collector) == shown
    assert len(looks) == 1
    time.sleep(0.25)
    assert collected(collector) == shown
    assert len(looks) == 2


def fail() -> QueueDepth:
    """A database that is away."""
    raise ChorusError(ErrorKind.UNAVAILABLE, "database-silent")


def test_a_database_that_is_away_leaves_only_the_word_that_it_is() -> None:
    assert collected(QueueCollector(fail)) == {"chorus_database_up": 0}


def test_a_database_that_hangs_costs_a_scrape_a_moment_and_one_thread() -> None:
    answers = threading.Event()

    def hang() -> QueueDepth:
        assert answers.wait(10)
        return DEPTH

    collector = QueueCollector(hang, kept_seconds=0, look_seconds=0.05)
    started = time.monotonic()
    assert [collected(collector), collected(collector)] == [{"chorus_database_up": 0}] * 2
    assert time.monotonic() - started < 2
    assert sum(thread.name == "queue-look" for thread in threading.enumerate()) == 1
    answers.set()
    time.sleep(0.1)
    assert collected(collector)["chorus_database_up"] == 1


def test_log_lines_go_to_stderr_and_name_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    try:
        telemetry.configure_logging("worker", "warning")
        logging.getLogger("engine").info("not shown")
        logging.getLogger("engine").warning("disk is slow")
        shown = capsys.readouterr()
    finally:
        logging.basicConfig(handlers=before, force=True)
        logging.getLogger().setLevel(logging.WARNING)
    assert shown.out == ""
    assert shown.err.endswith("WARNING worker engine: disk is slow\n")
    assert "not shown" not in shown.err
