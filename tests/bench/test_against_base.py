"""A job's CPU time here by that in another revision, in turns: `make bench BASE=revision`. Prints tables."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import pytest
from rich.console import Console
from rich.table import Table

from services.media import Extend, open_clip, read_frames, write_video
from tests.bench.process_costs import Costs, process_cpu
from tests.bench.revisions import both_stacks, revision_name, sameness
from tests.bench.stages import enlarged_clip, same_pictures
from tests.running_stack import SAMPLES, RunningStack

VIDEO, STILL, AUDIO = SAMPLES / "astronaut.mp4", SAMPLES / "portrait.jpg", SAMPLES / "announcement_en.wav"
JOB_SECONDS = 900.0
LOOK_SECONDS = 300.0
Stacks = tuple[RunningStack, RunningStack]
pytestmark = pytest.mark.timeout(3600)


@dataclass(frozen=True, slots=True)
class Run:
    """One job, one first look, or the floor."""

    frames: int
    costs: Costs
    seconds: float
    """From being asked for to its end"""

    @property
    def milliseconds(self) -> float:
        """CPU time a frame of all processes."""
        return 1000 * self.costs.whole_cpu_seconds / self.frames


@pytest.fixture(scope="module")
def stacks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stacks]:
    revision = request.config.getoption("--base")
    if not revision:
        pytest.skip("compares with nothing: --base says no revision")
    with both_stacks(revision, tmp_path_factory.mktemp("revisions")) as pair:
        for stack in pair:  # no process shall load code or models while it is measured
            _job(stack, STILL)
        yield pair


@pytest.mark.parametrize("height", [720, 1080])
def test_a_job_in_turns(stacks: Stacks, request: pytest.FixtureRequest, tmp_path: Path, height: int) -> None:
    video = VIDEO if height == 720 else enlarged_clip(VIDEO, tmp_path / "1080p.mp4", height)
    for stack in stacks:
        _job(stack, video)
    runs: list[list[Run]] = [[], [], [], [], []]
    for _ in range(request.config.getoption("--turns")):
        fresh = same_pictures(video, tmp_path / "fresh.mp4", f"{time.time()}")
        jobs = (_later(stack, shown) for shown in (video, fresh) for stack in stacks)
        for taken, work in zip(runs, (*jobs, _floor(video, tmp_path)), strict=True):
            taken.append(work())
    _print(height, revision_name(request.config.getoption("--base")), runs)
    assert len({run.frames for taken in runs for run in taken}) == 1


@pytest.mark.parametrize("height", [720, 1080])
def test_a_first_look_in_turns(stacks: Stacks, request: pytest.FixtureRequest, tmp_path: Path, height: int) -> None:
    video = VIDEO if height == 720 else enlarged_clip(VIDEO, tmp_path / "1080p.mp4", height)
    for stack in stacks:  # no process shall load code while it is measured
        _look(stack, same_pictures(video, tmp_path / "first.mp4", f"{time.time()}"))
    runs: list[list[Run]] = [[], []]
    for _ in range(request.config.getoption("--turns")):
        for taken, stack in zip(runs, stacks, strict=True):
            taken.append(_look(stack, same_pictures(video, tmp_path / "fresh.mp4", f"{time.time()}")))
    title = f"{height}p, {runs[0][0].frames} frames that nobody has seen, until the analysis is known"
    table = _table(f"{title}: medians of {len(runs[0])} turns", revision_name(request.config.getoption("--base")))
    _add_roles(table, *runs)
    _add_whole(table, "all", *runs)
    table.add_row("seconds", *(f"{median(run.seconds for run in taken):.1f}" for taken in runs), "")
    Console(width=120).print(table)
    assert all(run.costs.cpu_seconds["reading child"] > 0 for taken in runs for run in taken)


def test_what_is_outside_the_mouth_keeps_its_bits(stacks: Stacks, tmp_path: Path) -> None:
    outputs = []
    for number, stack in enumerate(stacks):
        job = stack.create_batch(AUDIO, [VIDEO], crf=0, preset="ultrafast", delivery="source")["jobs"][0]
        assert stack.wait_for(job["id"], seconds=JOB_SECONDS)["state"] == "succeeded"
        outputs.append(stack.download(job["id"], tmp_path / f"{number}.mp4"))
    same = sameness(VIDEO, *outputs)
    table = Table("samples of all frames", "", title="Lossless outputs of both revisions and their source, 720p")
    table.add_row("as in the source, in both", f"{same.outside}")
    table.add_row("changed by one or both", f"{same.inside}")
    table.add_row("... by one alone", f"{same.only_one}")
    table.add_row("... by both, to other values", f"{same.differing}")
    table.add_row("the most between the two, levels", f"{same.largest}")
    Console(width=120).print(table)
    assert same.outside > 9 * same.inside


def _job(stack: RunningStack, video: Path) -> Run:
    with process_cpu(psutil.Process(stack.process.pid)) as costs:
        started = time.monotonic()
        job = stack.wait_for(stack.create_batch(AUDIO, [video])["jobs"][0]["id"], seconds=JOB_SECONDS)
        seconds = time.monotonic() - started
    assert job["state"] == "succeeded", job["error"]
    return Run(job["progress"]["frames_total"], costs, seconds)


def _look(stack: RunningStack, video: Path) -> Run:
    """From the upload until the analysis is known."""
    with process_cpu(psutil.Process(stack.process.pid)) as costs, stack.http as http:
        started = time.monotonic()
        media_id = stack.media_id(video)
        while (found := http.post(f"/v1/media/{media_id}/preflight").json())["state"] != "done":
            assert found["state"] in ("waiting", "running"), found
            assert time.monotonic() - started < LOOK_SECONDS, found
            time.sleep(0.5)
        seconds = time.monotonic() - started
    return Run(open_clip(video, name=video.name).frames, costs, seconds)


def _later(stack: RunningStack, video: Path) -> Callable[[], Run]:
    return lambda: _job(stack, video)


def _floor(video: Path, folder: Path) -> Callable[[], Run]:
    """The same file decoded and coded again, with nothing done to it."""

    def work() -> Run:
        clip, frames = open_clip(video, name=video.name), 235
        started, before = time.monotonic(), _own_cpu()
        write_video(
            folder / "floor.mp4",
            clip,
            read_frames(clip, frames, Extend.PINGPONG),
            AUDIO,
            seconds=frames / clip.frame_rate,
            crf=18,
            preset="veryfast",
            delivery="compatible",
            metadata={},
        )
        return Run(frames, Costs({"floor": _own_cpu() - before}), time.monotonic() - started)

    return work


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _print(height: int, base: str, runs: list[list[Run]]) -> None:
    before, now, unknown_before, unknown_now, floors = runs
    table = _table(f"{height}p, {now[0].frames} frames, medians of {len(now)} turns", base)
    _add_roles(table, before, now)
    _add_whole(table, "all, the face known", before, now)
    more = [
        [run.milliseconds - known.milliseconds for run, known in zip(*pair, strict=True)]
        for pair in ((unknown_before, before), (unknown_now, now))
    ]
    table.add_row(
        "more, the face unknown",
        *(f"{median(each):.1f}" for each in more),
        _ratios([here / there for there, here in zip(*more, strict=True)]),
    )
    table.add_row(
        "seconds of the job by its CPU seconds",
        *(f"{median(run.seconds / run.costs.whole_cpu_seconds for run in taken):.2f}" for taken in (before, now)),
        "",
    )
    table.add_row("the floor: decode and encode alone", "", f"{median(run.milliseconds for run in floors):.1f}", "")
    table.add_row(
        "all, the face known / floor, turn by turn",
        *(
            _ratios([run.milliseconds / floor.milliseconds for run, floor in zip(taken, floors, strict=True)])
            for taken in (before, now)
        ),
        "",
    )
    Console(width=120).print(table)


def _table(title: str, base: str) -> Table:
    table = Table(title=f"{title}: CPU ms a frame")
    for heading in ("", base, "here", "here / base, turn by turn"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    return table


def _add_roles(table: Table, before: list[Run], now: list[Run]) -> None:
    for role in sorted({role for run in (*before, *now) for role in run.costs.cpu_seconds}):
        parts = [
            median(1000 * run.costs.cpu_seconds.get(role, 0.0) / run.frames for run in taken) for taken in (before, now)
        ]
        table.add_row(role, *(f"{part:.1f}" for part in parts), "")


def _add_whole(table: Table, name: str, before: list[Run], now: list[Run]) -> None:
    table.add_row(
        name,
        *(f"{median(run.milliseconds for run in taken):.1f}" for taken in (before, now)),
        _ratios([after.milliseconds / run.milliseconds for run, after in zip(before, now, strict=True)]),
    )


def _ratios(each: list[float]) -> str:
    return f"{median(each):.2f} ({min(each):.2f} to {max(each):.2f})"
