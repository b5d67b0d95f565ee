"""Hardware encoders, with software standing in for them: the trial, the options, and one that breaks off."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from av.error import InvalidDataError

from services.jobs.options import RenderOptions, choices
from services.media import Clip, Extend, open_clip, read_frames, write, write_video
from services.media.delivery import encoding_of
from services.media.hardware import HARDWARE, Bounds, HardwareFailedError
from services.media.hardware_trial import first_that_works, flaw_of
from tests.media_hardware import STANDING_IN, stand_in
from tests.media_samples import ClipRecipe, decode_planes, make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return open_clip(make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", ClipRecipe(frames=12)), name="a")


def written(path: Path, clip: Clip, **changes: Any) -> Path:
    settings: dict[str, Any] = {"crf": 18, "preset": "veryfast", "delivery": "compatible", "metadata": {}}
    frames = read_frames(clip, clip.frames, Extend.CUT)
    write_video(path, clip, frames, None, seconds=clip.seconds, **(settings | changes))
    return path


@pytest.mark.parametrize("codec", HARDWARE)
@pytest.mark.parametrize("preset", choices("preset"))
def test_ffmpeg_knows_every_option_that_hardware_is_told(codec: str, preset: str) -> None:
    supported = av.CodecContext.create(codec, "w").supported_options
    known = {option.name: option for option in (*supported.generic, *supported.private)}
    for name, value in HARDWARE[codec].options(preset, 18, Bounds("4.1", 62_500_000)).items():
        words = {choice.name for choice in known[name].choices or ()}
        assert value.isdecimal() or value in words, (name, value)


def test_a_machine_without_hardware_says_why() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.render", "try-hardware"], capture_output=True, check=True, timeout=60
    )
    said = json.loads(done.stdout)
    if said["hardware"] is None:
        assert said["flaws"].keys() == HARDWARE.keys()
        assert all(said["flaws"].values())


def test_the_trial_takes_what_makes_the_profile_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    assert first_that_works() == (STANDING_IN, {})


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"profile": "main"}, "'Main'"),
        ({"level": "5.2"}, "level 5.2"),
        ({"crf": "51"}, "grey levels"),
        ({"preset": "unheard"}, "Invalid argument"),
    ],
)
def test_the_trial_refuses_what_makes_anything_else(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], flaw: str
) -> None:
    stand_in(monkeypatch, **changes)
    codec, flaws = first_that_works()
    assert codec is None
    assert flaw in flaws[STANDING_IN]


def test_an_encoder_that_is_not_in_ffmpeg_is_a_flaw(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, codec="h264_unheard")
    assert flaw_of("h264_unheard")


def test_hardware_makes_what_plays_everywhere_and_nothing_else(clip: Clip) -> None:
    given: dict[str, Any] = {"crf": 18, "preset": "fast", "hardware": "h264_qsv"}
    assert encoding_of(clip, "compatible", **given).codec == "h264_qsv"
    assert encoding_of(clip, "compatible", **given | {"crf": 0}).codec == "libx264"
    assert encoding_of(clip, "source", **given).codec == "libx264"


def test_the_order_of_samples_that_hardware_takes_changes_none(
    tmp_path: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    # x264's look ahead, which ultrafast has not, comes to other bits now and then.
    software = decode_planes(written(tmp_path / "a.mp4", clip, preset="ultrafast"))
    stand_in(monkeypatch)
    by_stand_in = decode_planes(written(tmp_path / "b.mp4", clip, preset="ultrafast", hardware=STANDING_IN))
    for mine, theirs in zip(by_stand_in, software, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


def breaking_off(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Software stands in for hardware that takes so many pictures and no more."""
    stand_in(monkeypatch)
    add_video = write._add_video

    def add(container: Any, clip: Clip, encoding: Any) -> Any:
        stream, taken = add_video(container, clip, encoding), iter(range(after))

        def encode(picture: Any) -> Any:
            if next(taken, None) is None:
                raise InvalidDataError(1, "the driver is gone")
            return stream.encode(picture)

        return SimpleNamespace(encode=encode) if encoding.by_hardware else stream

    monkeypatch.setattr(write, "_add_video", add)


@pytest.mark.parametrize("after", [0, 7, 12])
def test_hardware_that_breaks_off_is_told_apart_and_leaves_nothing(
    tmp_path: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    breaking_off(monkeypatch, after)
    with pytest.raises(HardwareFailedError, match=STANDING_IN):
        written(tmp_path / "b.mp4", clip, hardware=STANDING_IN)
    assert not list(tmp_path.iterdir())
    assert written(tmp_path / "b.mp4", clip, preset=RenderOptions().preset).exists()
