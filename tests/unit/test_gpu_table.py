"""The table of `make gpu`: what is compared with what, what is missing, and that a dry run says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from scripts.gpu import __main__ as gpu
from scripts.gpu.asked import FAMILY, difference, faces, portraits, psnr
from scripts.gpu.measured import Measured
from scripts.gpu.net import random_wav2lip
from scripts.gpu.table import as_table
from services.local.gpus import Gpu
from tests.media_samples import ClipRecipe, make_clip
from tests.wav2lip_nets import WAV2LIP_96, Net

H200 = Gpu("NVIDIA H200", "9.0", 143771, "580.65.06")


def test_engines_stand_side_by_side_and_are_compared_with_the_first(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "a.mp4", ClipRecipe(frames=3))
    first = Measured("cpu", starts=[6.0], answers={FAMILY: np.zeros(4)}, videos={"default": video})
    first.jobs, first.rates = {"default": 8.5}, {FAMILY: {1: 25.0, 8: 26.04}}
    second = Measured("tensorrt", starts=[95.0, 9.25], answers={FAMILY: np.array([0.0, 0, 0, 2])})
    second.videos, second.jobs, second.memory = {"default": video}, {"default": 6.25}, [500, 2100, 2600]
    second.engines = {FAMILY: "ONNX Runtime 1.31.1, TensorRT, float16"}
    third = Measured("cuda", failure="no driver")
    table = as_table([first, second, third], [H200], dry=False)
    assert "NVIDIA H200, 143771 MiB" in table
    assert "DRY" not in table
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {5}
    assert "| start, s (first, again with its plans) | 6.0 | 95.0, 9.2 |  |" in lines
    assert f"| {FAMILY}, furthest and mean from cpu, of 255 |  | 2, 0.5 |  |" in lines
    assert f"| {FAMILY}, rows a second at 8 | 26.0 |  |  |" in lines
    assert "| job of default, worst and mean frame against cpu |  | 99.0, 99.0 dB |  |" in lines
    assert "| memory of the GPUs, MiB: before, loaded, most | no GPU | 500, 2100, 2600 |  |" in lines
    assert "cuda FAILED: no driver" in table


def test_a_dry_run_says_that_its_figures_are_no_gpus() -> None:
    assert as_table([Measured("cpu")], [], dry=True).startswith("DRY RUN: the processor alone, no GPU was used")


def test_differences_are_of_the_furthest_and_the_mean(tmp_path: Path) -> None:
    assert difference(np.array([1.0, 2]), np.array([1.0, 2.5])) == "0.5, 0.25"
    clip = make_clip(tmp_path / "a.mp4", ClipRecipe(frames=2))
    assert psnr(clip, clip) == "99.0, 99.0 dB"
    coarse = make_clip(tmp_path / "b.mp4", ClipRecipe(frames=2, options={"crf": "40"}))
    worst, mean = map(float, psnr(clip, coarse).removesuffix(" dB").split(", "))
    assert 15 < worst <= mean < 45


def test_without_a_gpu_nothing_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpu, "find_gpus", list)
    assert gpu.main([]) == 2
    assert "No NVIDIA GPU found" in capsys.readouterr().err


def test_the_engines_are_those_of_this_machine_and_of_containers() -> None:
    own = {name: {"CHORUS_MODEL_ENGINE": name} for name in ("cpu", "cuda", "tensorrt")}
    there = {"container at h:8001": {"CHORUS_TRITON_URL": "h:8001"}}
    assert gpu._engines(gpu._options(["--triton", "container=h:8001"])) == {**own, **there}
    assert gpu._engines(gpu._options(["--dry"])) == {"cpu": own["cpu"]}


def test_the_net_with_random_weights_hears_and_sees() -> None:
    """Or the answers of two engines would agree whatever they compute."""
    model = random_wav2lip(narrow(WAV2LIP_96)).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    mel = faces(2)["mel"][:, None]
    face = np.random.default_rng(1).random((2, 6, 96, 96), np.float32)
    picture = session.run(None, {"mel": mel, "face": face})[0]
    assert picture.shape == (2, 3, 96, 96)
    assert 0.1 < picture.std() < 0.5
    deaf = session.run(None, {"mel": mel[::-1], "face": face})[0]
    assert np.abs(deaf - picture).mean() > 0.001


def narrow(net: Net) -> Net:
    """With an eighth of the channels."""

    def thin(row: Any) -> Any:
        return (*(each // 8 if each >= 16 else each for each in row[:2]), *row[2:])

    encoder = [[thin(row) for row in rows] for rows in net.encoder]
    return Net(
        net.side, encoder, [(thin(row), more) for row, more in net.decoder], audio=[thin(row) for row in net.audio]
    )


def test_portraits_are_what_the_face_nets_see() -> None:
    pictures = portraits(2)
    assert pictures.shape == (2, 192, 192, 3)
    assert not np.array_equal(pictures[0], pictures[1])
