"""A render that does nothing is given up by the limit of its stage; one that is slow but goes on is left alone."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import closing, nullcontext
from pathlib import Path
from textwrap import indent
from types import SimpleNamespace
from typing import Any

import pytest

from services.errors import ChorusError, ErrorKind
from services.jobs.engine.child import RenderChild, Succeeded
from services.jobs.engine.runner import JobRunner, RenderSettings
from services.jobs.engine.stalls import StallLimits, StallWatch
from services.jobs.model import Progress, Stage
from services.threaded import within
from services.zygote import Zygote

SAY = """
import json, os, sys, time
def say(stage, done, total=99):
    print(json.dumps({"progress": {"stage": stage, "frames_done": done, "frames_total": total}}), flush=True)
def succeed():
    print(json.dumps({"succeeded": {"frames": 9, "seconds": 1, "video_seconds": 1, "stages": {}}}), flush=True)
"""
SERVE = """
from services.zygote import serve
def work():
    request = json.load(sys.stdin)
{program}
    return 0
serve(work, "render child")
"""
LIMITS = StallLimits(starting=8, fetching=5, analysing=3, rendering=1.5, publishing=60)


def run(program: str, folder: Path, limits: StallLimits = LIMITS) -> float:
    """Seconds that a child with this program took to its success."""
    begun = time.monotonic()
    command = [sys.executable, "-c", SAY + SERVE.format(program=indent(program, "    "))]
    with (
        closing(Zygote(command)) as zygote,
        RenderChild(zygote, {"folder": str(folder)}, video_name="clip.mp4") as child,
    ):
        *_, last = child.messages(StallWatch(limits, folder))
    assert isinstance(last, Succeeded)
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("program", "seconds"),
    [
        ("say('analysing', 0); time.sleep(60)", 3),
        ("for _ in range(600): say('analysing', 0, 0); time.sleep(0.1)", 5),
        # It talks, but all it says is where it was.
        ("for _ in range(600): say('analysing', 7); time.sleep(0.1)", 3),
        ("say('analysing', 7); say('rendering', 8); time.sleep(60)", 1.5),
        ("for _ in range(600): say('rendering', 8); time.sleep(0.1)", 1.5),
        ("import signal; say('rendering', 8); os.kill(os.getpid(), signal.SIGSTOP)", 1.5),
    ],
    ids=[
        "analysis, silent",
        "preprocess, fetching",
        "analysis, at one place",
        "render, silent",
        "render, at one place",
        "render, stopped",
    ],
)
def test_what_does_nothing_is_killed_by_the_limit_of_its_stage(program: str, seconds: float, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(ChorusError, match=f"clip.mp4 made no progress for {seconds:g} s") as error:
        run(program, tmp_path)
    assert error.value.kind is ErrorKind.DEADLINE
    assert error.value.retryable
    assert time.monotonic() - begun < seconds + 8


def test_a_child_that_never_begins_is_killed(tmp_path: Path) -> None:
    limits = StallLimits(starting=1.5, fetching=60, analysing=60, rendering=60, publishing=60)
    with pytest.raises(ChorusError, match=r"no progress for 1\.5 s"):
        run("time.sleep(60)", tmp_path, limits)


@pytest.mark.parametrize(
    "program",
    [
        # A source that comes slowly from a bucket: nothing is said, but the file grows.
        "say('starting', 0)\nwith open(request['folder'] + '/copy', 'ab', 0) as f:\n"
        "    for _ in range(20): f.write(b'x'); time.sleep(0.2)",
        "for done in range(20): say('rendering', done); time.sleep(0.2)",
        # The encoder's last pictures after the last frame.
        "say('rendering', 99)\nwith open(request['folder'] + '/output', 'ab', 0) as f:\n"
        "    for _ in range(20): f.write(b'x'); time.sleep(0.2)",
    ],
    ids=["fetching", "rendering", "encoding"],
)
def test_what_is_slow_but_goes_on_is_left_alone(program: str, tmp_path: Path) -> None:
    limits = StallLimits(starting=2.5, fetching=2.5, analysing=2.5, rendering=2.5, publishing=2.5)
    assert run(f"{program}\nsucceed()", tmp_path, limits) > 4


def test_time_in_which_nobody_watched_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("services.jobs.engine.stalls.time.monotonic", lambda: now)
    watch = StallWatch(StallLimits(starting=60, fetching=60, analysing=120, rendering=60, publishing=120), tmp_path)
    watch.note(Progress(stage=Stage.RENDERING, frames_done=3))
    assert watch.look() is None
    now += 3600  # the machine slept
    assert watch.look() is None
    for _ in range(116):
        now += 0.5
        assert watch.look() is None
    for _ in range(4):
        now += 0.5
        stalled = watch.look()
    assert stalled == 60


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (ChorusError(ErrorKind.DEADLINE, "render-stalled", name="clip.mp4", seconds=60), 3),
        (ChorusError(ErrorKind.UNAVAILABLE, "service-unreachable", service="Triton", reason="away"), 6),
    ],
)
def test_what_hangs_again_and_again_costs_minutes_and_not_a_quarter_of_an_hour(
    error: ChorusError, tries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing: Any = SimpleNamespace(job_id="job", progress=lambda _: None)
    settings = RenderSettings(command=(), scratch=tmp_path, stalls=LIMITS, retry_delays=(0,) * 5)
    runner = JobRunner(nothing, nothing, settings)
    tried: list[object] = []

    def attempt(*arguments: object) -> int:
        tried.append(arguments)
        raise error

    monkeypatch.setattr(runner, "_attempt", attempt)
    with pytest.raises(ChorusError):
        runner._try_until_done(nothing, nothing, "new")
    assert len(tried) == tries


@pytest.mark.parametrize(("number", "hardware"), [(1, "h264_nvenc"), (2, None)])
def test_a_driver_that_hung_gets_no_second_try(
    number: int, hardware: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    class Child(nullcontext[Any]):
        def __init__(self, command: object, request: dict[str, Any], **_: object) -> None:
            asked.append(request)
            super().__init__(SimpleNamespace(messages=lambda _: []))

    monkeypatch.setattr("services.jobs.engine.runner.RenderChild", Child)
    nothing: Any = None
    settings = RenderSettings(command=(), scratch=tmp_path, stalls=LIMITS, hardware="h264_nvenc")
    runner = JobRunner(nothing, nothing, settings)
    monkeypatch.setattr("services.jobs.engine.runner.spec_to_json", str)
    spec: Any = SimpleNamespace(video_name="clip.mp4")
    runner._render(spec, number, tmp_path / "output.mp4", tmp_path / "poster.jpg", nothing)
    assert asked[0]["hardware"] == hardware


def test_a_store_that_hangs_ends_the_try(tmp_path: Path) -> None:
    free = threading.Event()
    store: Any = SimpleNamespace(put_file=lambda *_, **__: free.wait(20))
    nothing: Any = None
    limits = StallLimits(starting=60, fetching=60, analysing=60, rendering=60, publishing=0.3)
    runner = JobRunner(nothing, store, RenderSettings(command=(), scratch=tmp_path, stalls=limits))
    output, spec = tmp_path / "output.mp4", SimpleNamespace(video_name="clip.mp4", poster_key="p", output_key="o")
    output.write_bytes(b"x")
    anything: Any = spec
    with pytest.raises(ChorusError, match=r"clip\.mp4 made no progress") as error:
        runner._publish_in_time(anything, output, output)
    free.set()
    assert error.value.kind is ErrorKind.DEADLINE


def test_a_call_that_hangs_is_not_waited_for() -> None:
    free = threading.Event()
    with pytest.raises(TimeoutError):
        within(0.2, free.wait)
    free.set()
    assert within(5, lambda: 7) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        within(5, lambda: int("x"))
