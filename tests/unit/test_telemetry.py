"""Logs and metrics come out as they are named."""

from __future__ import annotations

import logging

import pytest

from services import telemetry

ADDED = {
    'chorus_jobs_finished_total{family="default",state="succeeded"}': 1,
    'chorus_job_seconds_bucket{le="20.0",state="succeeded"}': 1,
    "chorus_frames_rendered_total": 250,
    'chorus_stage_seconds_sum{stage="rendering"}': 3.5,
    "chorus_uploads_total": 1,
    "chorus_upload_bytes_total": 4096,
    "chorus_analysis_frames_total": 250,
    'chorus_reused_total{kind="track"}': 1,
}


def _measures() -> dict[str, float]:
    lines = telemetry.metrics_text().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_every_measure_is_found_in_the_metrics_text() -> None:
    before = _measures()
    telemetry.job_finished("succeeded", "default", 12.0)
    telemetry.frames_rendered(250)
    telemetry.stage_seconds("rendering", 3.5)
    telemetry.upload_received(4096)
    telemetry.analysis_frames(250)
    telemetry.reused("track")
    telemetry.queue_depth("queued", 7)
    after = _measures()
    assert {name: after[name] - before.get(name, 0) for name in ADDED} == ADDED
    assert after['chorus_queue_jobs{state="queued"}'] == 7


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
