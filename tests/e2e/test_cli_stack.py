"""`chorus run` against the running stack, and how `chorus up` begins and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.announcement import announcement
from tests.running_stack import SAMPLES, RunningStack

CHORUS = str(Path(sys.executable).parent / "chorus")
AUDIO = SAMPLES / "announcement_en.wav"
VIDEO = SAMPLES / "astronaut.mp4"


def _run(stack: RunningStack, audio: Path, *videos: Path, output_dir: Path) -> subprocess.Popen[str]:
    command = [CHORUS, "run", "--audio", str(audio), "--output-dir", str(output_dir), "--video", *map(str, videos)]
    return subprocess.Popen(command, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.timeout(240)
def test_run_counts_the_failed_and_finishes_the_rest(stack: RunningStack, tmp_path: Path) -> None:
    fake = tmp_path / "fake.mp4"
    fake.write_text("this is no video")
    output_dir = tmp_path / "outputs"
    audio = announcement(tmp_path / "short.wav", 2)
    process = _run(stack, audio, tmp_path / "missing.mp4", fake, VIDEO, output_dir=output_dir)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 2, said
    assert "missing.mp4 failed: " in said
    assert "fake.mp4 failed: " in said
    assert "rendering" in said
    assert "Starting Chorus" not in said  # the running one was used
    assert [path.name for path in output_dir.iterdir()] == [VIDEO.name]


@pytest.mark.timeout(120)
def test_ctrl_c_cancels_the_batch(stack: RunningStack, tmp_path: Path) -> None:
    process = _run(stack, AUDIO, VIDEO, output_dir=tmp_path)
    assert process.stdout is not None
    with process.stdout:
        assert "astronaut.mp4" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert process.wait(timeout=20) == 130, said
    assert "cancelled" in said
    assert list(tmp_path.iterdir()) == []
    with stack.http as http:
        newest = http.get("/v1/batches").json()["items"][0]["id"]
        job = http.get(f"/v1/batches/{newest}").json()["jobs"][0]
    assert stack.wait_for(job["id"], seconds=30)["state"] == "cancelled"


def test_a_second_up_on_the_same_state_is_refused(stack: RunningStack) -> None:
    done = subprocess.run(
        [CHORUS, "up", "--port", "0"], env=stack.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert stack.address in done.stderr
    assert "CHORUS_HOME" in done.stderr


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["asked to stop", "killed"])
def test_up_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "CHORUS_HOME": str(tmp_path)}
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen([CHORUS, "up", "--port", "0"], env=environment, stdout=out, stderr=out)
    run_file = tmp_path / "run" / "stack.json"
    end = time.monotonic() + 90
    while not run_file.exists():
        assert process.poll() is None, (tmp_path / "out").read_text()
        assert time.monotonic() < end, (tmp_path / "out").read_text()
        time.sleep(0.1)
    assert json.loads(run_file.read_text())["pid"] == process.pid
    family = psutil.Process(process.pid).children(recursive=True)
    regions = [word for member in family for word in _command_line(member) if word.startswith("chorus-")]
    assert regions
    begun = time.monotonic()
    process.send_signal(number)
    process.wait(timeout=20)
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert time.monotonic() - begun < 15
    assert not [region for region in regions if (Path("/dev/shm") / region).exists()]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
