"""What a job costs: CPU a frame and memory of every stage and process. Prints tables, asserts ratios only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from rich.console import Console
from rich.table import Table

from tests.announcement import announcement
from tests.bench.process_costs import Costs, process_costs
from tests.bench.stages import Stage, enlarged_clip, floor_of, measure_stages, prolonged_clip
from tests.running_stack import SAMPLES, RunningStack

VIDEO, STILL, AUDIO = SAMPLES / "astronaut.mp4", SAMPLES / "portrait.jpg", SAMPLES / "announcement_en.wav"
JOB_SECONDS = 900.0
LONG_SECONDS = 120
_POLL_SECONDS = 0.05
pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True, slots=True)
class Run:
    """One job."""

    frames: int
    costs: Costs

    @property
    def milliseconds(self) -> float:
        """CPU time a frame of all processes together."""
        return 1000 * self.costs.whole_cpu_seconds / self.frames


@pytest.mark.parametrize("height", [720, 1080])
def test_cpu_of_every_stage_and_process(stack: RunningStack, tmp_path: Path, height: int) -> None:
    video = VIDEO if height == 720 else enlarged_clip(VIDEO, tmp_path / "1080p.mp4", height)
    _warm_up(stack, tmp_path)
    first, second = _run(stack, video, AUDIO), _run(stack, video, AUDIO)
    stages = measure_stages(video, AUDIO, tmp_path)
    parts = _needed(stages)
    _print_processes(height, first, second)
    _print_stages(height, stages, parts, second)
    assert second.milliseconds < first.milliseconds, "a known track must save its analysis"
    assert second.milliseconds / parts < 2.5


def test_time_to_the_verdict_of_an_upload(stack: RunningStack, tmp_path: Path) -> None:
    _warm_up(stack, tmp_path)
    # Two rows less, so that nobody has analysed it yet.
    video = enlarged_clip(VIDEO, tmp_path / "unknown.mp4", 718)
    with process_costs(psutil.Process(stack.process.pid)) as costs, stack.http as http:
        started = time.monotonic()
        media_id = stack.media_id(video)
        accepted = time.monotonic() - started
        preflight, provisional = http.post(f"/v1/media/{media_id}/preflight").json(), None
        while preflight["state"] in ("waiting", "running"):
            time.sleep(_POLL_SECONDS)
            preflight = http.get(f"/v1/media/{media_id}/preflight").json()
            if preflight["provisional"] and provisional is None:
                provisional = time.monotonic() - started
        known = time.monotonic() - started
    table = Table("", "seconds", title="From the first byte of an upload of 10 s, 720p")
    table.add_row("accepted, and in the library", f"{accepted:.2f}")
    table.add_row("a first look, provisional", "none" if provisional is None else f"{provisional:.2f}")
    table.add_row("its faces are known", f"{known:.2f}")
    table.add_row("CPU of all processes", f"{costs.whole_cpu_seconds:.2f}")
    Console(width=120).print(table)
    assert preflight["findings"]["verdict"] == "face"
    assert accepted < known


def test_memory_does_not_grow_with_the_length_of_the_video(stack: RunningStack, tmp_path: Path) -> None:
    long_video = prolonged_clip(VIDEO, tmp_path / "long.mp4", LONG_SECONDS)
    long_audio = announcement(tmp_path / "long.wav", LONG_SECONDS)
    _warm_up(stack, tmp_path)
    short, long = _run(stack, VIDEO, AUDIO), _run(stack, long_video, long_audio)
    table = Table(title=f"Peak memory, MiB: a video of 10 s and one of {LONG_SECONDS} s, 720p, analysis included")
    for heading in ("process", "10 s", f"{LONG_SECONDS} s"):
        table.add_column(heading, justify="left" if heading == "process" else "right")
    for role in sorted(long.costs.peak_mib):
        table.add_row(role, f"{short.costs.peak_mib[role]:.0f}", f"{long.costs.peak_mib[role]:.0f}")
    peaks = short.costs.whole_peak_mib, long.costs.whole_peak_mib
    table.add_row("all at one time", f"{peaks[0]:.0f}", f"{peaks[1]:.0f}")
    Console(width=120).print(table)
    assert long.frames >= 10 * short.frames
    assert peaks[1] <= 1.1 * peaks[0]


def _warm_up(stack: RunningStack, folder: Path) -> None:
    """One short job with another face, so that no process loads code or models while it is measured."""
    _run(stack, STILL, announcement(folder / "short.wav", 1))


def _run(stack: RunningStack, video: Path, audio: Path) -> Run:
    with process_costs(psutil.Process(stack.process.pid)) as costs:
        job = stack.wait_for(stack.create_batch(audio, [video])["jobs"][0]["id"], seconds=JOB_SECONDS)
    assert job["state"] == "succeeded", job["error"]
    return Run(job["progress"]["frames_total"], costs)


def _needed(stages: list[Stage]) -> float:
    """CPU milliseconds a frame of the parts when the track is known."""
    return sum(stage.milliseconds for stage in stages if not stage.analysis)


def _print_processes(height: int, first: Run, second: Run) -> None:
    table = Table(title=f"{height}p, {first.frames} frames: CPU ms a frame and peak memory of every process")
    for heading in ("process", "first run", "track known", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "process" else "right")
    for role, peak in sorted(second.costs.peak_mib.items()):
        times = [1000 * run.costs.cpu_seconds[role] / run.frames for run in (first, second)]
        table.add_row(role, *(f"{time:.1f}" for time in times), f"{max(peak, first.costs.peak_mib[role]):.0f}")
    peak = max(run.costs.whole_peak_mib for run in (first, second))
    table.add_row("all", f"{first.milliseconds:.1f}", f"{second.milliseconds:.1f}", f"{peak:.0f}")
    Console(width=120).print(table)


def _print_stages(height: int, stages: list[Stage], parts: float, second: Run) -> None:
    table = Table(title=f"{height}p: every stage alone, CPU ms a frame and memory that it adds")
    for heading in ("stage", "ms", "added MiB", "part of"):
        table.add_column(heading, justify="left" if heading in ("stage", "part of") else "right")
    for stage in stages:
        part = "the analysis, once a video" if stage.analysis else "every job"
        table.add_row(stage.name, f"{stage.milliseconds:.2f}", f"{stage.added_mib:.0f}", part)
    table.add_row("sum for a job", f"{parts:.1f}", "", "")
    table.add_row("the whole, all processes", f"{second.milliseconds:.1f}", "", "")
    table.add_row("whole / sum", f"{second.milliseconds / parts:.2f}", "", "")
    floor = floor_of(stages)
    table.add_row("the floor: decode and encode alone", f"{floor:.1f}", "", "")
    table.add_row("whole / floor", f"{second.milliseconds / floor:.2f}", "", "")
    Console(width=120).print(table)
