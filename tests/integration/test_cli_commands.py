"""The `chorus` command as a process: what it says and exits with when a part is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

CHORUS = str(Path(sys.executable).parent / "chorus")


def _chorus(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CHORUS_HOME": str(home), "COLUMNS": "200", **variables}
    return subprocess.run(
        [CHORUS, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_names_the_log_file(tmp_path: Path) -> None:
    for command in ([], ["up"], ["run"], ["doctor"]):
        assert str(tmp_path / "logs" / "chorus.log") in _chorus(tmp_path, *command, "--help").stdout


def test_run_says_why_no_stack_could_be_started_and_counts_every_video(tmp_path: Path) -> None:
    outputs = str(tmp_path / "outputs")
    arguments = ("run", "--audio", "speech.wav", "--video", "a.mp4", "b.mp4", "--output-dir", outputs)
    done = _chorus(tmp_path, *arguments, CHORUS_TRITON_RUNTIME=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "Triton is not installed" in done.stderr


def test_up_names_a_triton_elsewhere_that_does_not_answer(tmp_path: Path) -> None:
    done = _chorus(tmp_path, "up", "--port", "0", CHORUS_TRITON_URL="127.0.0.1:9")
    assert done.returncode == 1
    assert "CHORUS_TRITON_URL=127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_fails_when_something_is_missing(tmp_path: Path) -> None:
    done = _chorus(tmp_path, "doctor", CHORUS_TRITON_RUNTIME=str(tmp_path / "none"))
    assert done.returncode == 1
    assert "install-triton" in done.stdout


def test_models_shows_the_licence(tmp_path: Path) -> None:
    done = _chorus(tmp_path, "models")
    assert done.returncode == 0
    assert "default" in done.stdout
    assert "Apache-2.0" in done.stdout


def test_doctor_shows_the_families_licences_and_what_would_compute_them(tmp_path: Path) -> None:
    said = _chorus(tmp_path, "doctor").stdout
    assert "default (Apache-2.0)" in said
    assert re.search(r"ok    engine +ONNX Runtime [\d.]+ for CPU", said)


def test_bench_says_what_can_be_measured(tmp_path: Path) -> None:
    for name, reason in (("none", "No family none was imported"), ("default", "default was not imported")):
        done = _chorus(tmp_path, "models", "bench", name)
        assert done.returncode == 1
        assert reason in done.stderr


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    done = _chorus(tmp_path, "up", CHORUS_PORT="many")
    assert done.returncode == 2
    assert "port" in done.stderr
    assert "Traceback" not in done.stderr
