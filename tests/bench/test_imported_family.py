"""A whole job with a user's Wav2Lip 96, in floats and in fewer bits; other programs beside it on the same files.

Its weights are random, and those in fewer bits would not pass an import: the picture is noise, the work is the same.
"""

from __future__ import annotations

import os
import shlex
import struct
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from statistics import median

import onnx
import psutil
import pytest
from rich.console import Console
from rich.table import Table

from scripts.gpu.net import random_wav2lip
from services.importing.importer import import_file
from services.importing.model_config import config_text
from services.importing.quantising import measured
from services.jobs.imported import ImportedFamily, write_manifest
from services.media import open_clip
from tests.announcement import announcement
from tests.bench.process_costs import process_costs
from tests.bench.stages import prolonged_clip
from tests.running_stack import SAMPLES, RunningStack, running_stack
from tests.talking_net import noise_pairs

VIDEO, AUDIO = SAMPLES / "astronaut.mp4", SAMPLES / "announcement_en.wav"
SECONDS, LONG_SECONDS, ROUNDS = 8, 40, 2
JOB_SECONDS = 900.0
ENGINES = {"float32": "onnxruntime", "int8": "onnxruntime", "int8-openvino": "openvino"}
pytestmark = pytest.mark.timeout(3600)


@dataclass(frozen=True, slots=True)
class Program:
    """What makes a video speak."""

    run: Callable[[Path, Path], tuple[float, float]]
    """Video and recording -> CPU milliseconds a frame of all processes, and the most MiB held at one time"""
    sound_of_long: int
    """Seconds of the recording beside the long video"""


@dataclass(slots=True)
class Runs:
    """Of one program."""

    milliseconds: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)
    long_peak_mib: float = 0.0


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same net three times: as it is, in 8 bits, and in 8 bits for OpenVINO."""
    folder = tmp_path_factory.mktemp("imported")
    onnx.save(random_wav2lip(), folder / "net.onnx")
    repository = folder / "families"
    family = import_file(folder / "net.onnx", repository, wanted_name="float32", licence=None, taken=())
    floats = onnx.load(repository / "float32" / "1" / "model.onnx")
    eight, _ = measured(floats, noise_pairs(100), family.most_rows, "net")
    for name, library in ENGINES.items():
        if name != "float32":
            _add(repository, replace(family, name=name, precision="int8", library=library), eight)
    return repository


def _add(repository: Path, family: ImportedFamily, model: onnx.ModelProto) -> None:
    (repository / family.name / "1").mkdir(parents=True)
    onnx.save(model, repository / family.name / "1" / "model.onnx")
    (repository / family.name / "config.pbtxt").write_text(config_text(family))
    write_manifest(repository / family.name, family)


@pytest.fixture(scope="module")
def importing_stack(families: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("stack"), {"CHORUS_FAMILIES": str(families)}) as stack:
        yield stack


def test_whole_jobs_with_a_users_net(
    importing_stack: RunningStack, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    with importing_stack.http as http:
        engines = {card["name"]: card["engine"] for card in http.get("/v1/families").json()}
    ours = [name for name, library in ENGINES.items() if library == "onnxruntime" or "OpenVINO" in engines[name]]
    programs = {name: Program(_job_of(importing_stack, name, tmp_path), LONG_SECONDS) for name in ours}
    for command in pytestconfig.getoption("beside"):
        # A part of the recording is enough to see what they hold: they read the whole video before anything else.
        programs[Path(shlex.split(command)[-1]).stem] = Program(_process_of(command, tmp_path), SECONDS)
    clips = _different_clips(tmp_path)
    runs = {name: Runs() for name in programs}
    for program in programs.values():
        # No process loads code or models while it is measured.
        program.run(clips(SECONDS), announcement(tmp_path / "short.wav", 1))
    for _ in range(ROUNDS):
        for name, program in programs.items():  # in turn, so that what else the machine does meets all
            milliseconds, peak = program.run(clips(SECONDS), announcement(tmp_path / "speech.wav", SECONDS))
            runs[name].milliseconds.append(milliseconds)
            runs[name].peak_mib.append(peak)
    for name, program in programs.items():
        sound = announcement(tmp_path / "long.wav", program.sound_of_long)
        runs[name].long_peak_mib = program.run(clips(LONG_SECONDS), sound)[1]
    _print(runs, engines)
    assert median(runs["int8"].milliseconds) < median(runs["float32"].milliseconds)
    assert runs["int8"].long_peak_mib < 1.1 * max(runs["int8"].peak_mib)


def _job_of(stack: RunningStack, family: str, folder: Path) -> Callable[[Path, Path], tuple[float, float]]:
    def run(video: Path, audio: Path) -> tuple[float, float]:
        with process_costs(psutil.Process(stack.process.pid)) as costs:
            batch = stack.create_batch(audio, [video], family=family)
            job = stack.wait_for(batch["jobs"][0]["id"], seconds=JOB_SECONDS)
        assert job["state"] == "succeeded", job["error"]
        stack.download(job["id"], folder / f"{family}.mp4")
        return 1000 * costs.whole_cpu_seconds / job["progress"]["frames_total"], costs.whole_peak_mib

    return run


def _process_of(command: str, folder: Path) -> Callable[[Path, Path], tuple[float, float]]:
    """Another's program: `command VIDEO AUDIO OUTPUT`; with all that it starts, and its own start."""

    def run(video: Path, audio: Path) -> tuple[float, float]:
        output = folder / "other.mp4"
        output.unlink(missing_ok=True)
        process = subprocess.Popen([*shlex.split(command), str(video), str(audio), str(output)])
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        clip = open_clip(output, name=output.name)
        return 1000 * (used.ru_utime + used.ru_stime) / clip.frames, used.ru_maxrss / 1024

    return run


def _different_clips(folder: Path) -> Callable[[int], Path]:
    """The sample in so many seconds, each time another file, so that none of its analyses is known."""
    whole = {seconds: prolonged_clip(VIDEO, folder / f"{seconds}.mp4", seconds) for seconds in (SECONDS, LONG_SECONDS)}
    made = count()

    def clip(seconds: int) -> Path:
        path = folder / f"clip{next(made)}.mp4"
        boxes = struct.pack(">I4s", 8, b"free") * int(path.stem[4:])
        path.write_bytes(whole[seconds].read_bytes() + boxes)
        return path

    return clip


def _print(runs: Mapping[str, Runs], engines: Mapping[str, str]) -> None:
    table = Table(title=f"720p, {SECONDS} s, nothing known of the video: CPU ms a frame, and the most memory held")
    columns = ("", "engine", "each round", "/ int8", "MiB", f"MiB, video of {LONG_SECONDS} s")
    for number, heading in enumerate(columns):
        table.add_column(heading, justify="left" if number < 2 else "right")
    best = median(runs["int8"].milliseconds)
    for name, each in runs.items():
        ratio = median(each.milliseconds) / best
        rounds = ", ".join(f"{milliseconds:.1f}" for milliseconds in each.milliseconds)
        memory = f"{max(each.peak_mib):.0f}", f"{each.long_peak_mib:.0f}"
        table.add_row(name, engines.get(name, ""), rounds, f"{ratio:.2f}", *memory)
    Console(width=140).print(table)
