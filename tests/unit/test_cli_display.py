"""The lines that `chorus run` prints where nobody sees bars."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from services.cli.display import Lines

RENDERING: dict[str, Any] = {
    "stage": "rendering",
    "frames_done": 1,
    "frames_total": 9,
    "frames_per_second": 0,
    "seconds_left": None,
}


def test_a_job_that_works_is_heard_of_again_and_one_that_waits_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter((100.0, 100.0, 101.0, 101.0, 110.0, 110.0, 120.0, 120.0, 120.0))
    monkeypatch.setattr("services.cli.display.time.monotonic", lambda: next(times))
    lines = Lines(Console())
    for _ in range(4):
        lines.update("works", RENDERING, "running")
        lines.update("waits", None, "queued")
    lines.update("waits", RENDERING, "running")
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == ["works", "waits", "works", "works", "waits"]
