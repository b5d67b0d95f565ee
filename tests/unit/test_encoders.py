"""Which encoder a machine uses: what the trial says, and what is made of one that crashes, hangs or talks nonsense."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from services.jobs.encoders import Encoder, EncoderChoice, find_encoder, log_encoder

WORKS = """print('{"hardware": "h264_nvenc", "flaws": {}}')"""
FAILS = """print('{"hardware": null, "flaws": {"h264_nvenc": "no driver"}}')"""


def found(script: str, choice: EncoderChoice = "auto", *, device: Path = Path("/"), seconds: float = 10) -> Encoder:
    return find_encoder(choice, trial=(sys.executable, "-I", "-S", "-c", script), devices=[device], seconds=seconds)


def test_hardware_that_works_is_used() -> None:
    assert found(WORKS).hardware == "h264_nvenc"
    assert "libx264 for what it cannot do" in found(WORKS).text


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (FAILS, "h264_nvenc: no driver"),
        ("print('loading drivers')", "nothing of use"),
        ("print('[]')", "nothing of use"),
        ("import os; os.abort()", "ended with -6"),
    ],
)
def test_whatever_goes_wrong_leaves_software(script: str, why: str) -> None:
    encoder = found(script)
    assert encoder.hardware is None
    assert "libx264" in encoder.text
    assert why in encoder.text


def test_a_trial_that_hangs_is_ended() -> None:
    encoder = found("import time; time.sleep(600)", seconds=0.3)
    assert encoder == Encoder(None, "libx264, for the trial of graphics hardware was silent for 0.3 s")


def test_nothing_is_started_where_no_hardware_can_be() -> None:
    assert found("raise SystemExit(1)", device=Path("/none")).text == "libx264, for there is no graphics hardware"
    assert found(WORKS, "software") == Encoder(None, "libx264 (CHORUS_ENCODER)")
    assert found(WORKS, "hardware", device=Path("/none")).hardware == "h264_nvenc"


@pytest.mark.parametrize(
    ("choice", "hardware", "level"),
    [("auto", None, logging.INFO), ("hardware", None, logging.WARNING), ("hardware", "h264_qsv", logging.INFO)],
)
def test_missing_hardware_is_loud_where_it_is_wanted(
    caplog: pytest.LogCaptureFixture, choice: EncoderChoice, hardware: str | None, level: int
) -> None:
    with caplog.at_level(logging.INFO):
        log_encoder(Encoder(hardware, "it"), choice)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, "videos are encoded by it")]
