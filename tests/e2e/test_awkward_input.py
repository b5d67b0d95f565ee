"""What people really upload: bad files are refused in words that name them, odd ones simply work."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from services.media import open_clip, probe
from tests.e2e.face_variants import cropped, encode, face_frames, recording, turned, with_gap
from tests.folders import files_below
from tests.running_stack import SAMPLES, RunningStack

pytestmark = pytest.mark.timeout(180)
FRAMES = 20


def _refusal(stack: RunningStack, path: Path) -> str:
    response = stack.upload(path)
    assert response.status_code == 422, response.text
    error = response.json()["error"]
    assert error["kind"] == "invalid_input"
    assert path.name in error["message"]
    return str(error["message"])


def test_unreadable_files_are_refused_at_the_door_and_leave_nothing(stack: RunningStack, tmp_path: Path) -> None:
    files_before = [path for path in files_below(stack.home) if "media" in str(path)]
    empty, text, cut = (tmp_path / name for name in ("empty.mp4", "text.mp4", "cut.mp4"))
    empty.write_bytes(b"")
    text.write_text("this is no video\n" * 100)
    whole = encode(tmp_path / "whole.mp4", face_frames(FRAMES)).read_bytes()
    # The index of an MP4 file lies at its end: a broken copy has none.
    cut.write_bytes(whole[: len(whole) // 2])
    messages = {_refusal(stack, path) for path in (empty, text, cut)}
    assert len({message.split(".mp4", 1)[-1] for message in messages}) >= 2, messages
    assert files_before == [path for path in files_below(stack.home) if "media" in str(path)]


@pytest.mark.parametrize("swapped", ["audio as video", "silent video as audio"])
def test_the_wrong_kind_of_file_is_refused_by_name(stack: RunningStack, tmp_path: Path, swapped: str) -> None:
    audio, video = SAMPLES / "announcement_en.wav", encode(tmp_path / "silent.mp4", face_frames(5))
    chosen = (audio, audio) if swapped == "audio as video" else (video, video)
    body = {"audio_id": stack.media_id(chosen[0]), "video_ids": [stack.media_id(chosen[1])]}
    with stack.http as http:
        response = http.post("/v1/batches", json=body)
    assert response.status_code == 422
    assert chosen[0].name in response.json()["error"]["message"]


def _video(name: str, path: Path) -> Path:
    frames = face_frames(FRAMES)
    if name == "29.97 fps":
        return encode(path, frames, rate=Fraction(30000, 1001))
    if name == "variable rate":
        times = [Fraction(i, 25) + Fraction(i % 3, 200) for i in range(FRAMES)]
        return encode(path, frames, times=times)
    if name == "odd size":
        return encode(path, cropped(frames, 639, 359), pixel_format="yuv444p")
    if name == "rotated phone video":
        return encode(path, turned(frames, 1), rotation=90)
    if name == "face missing in the middle":
        return encode(path, with_gap(frames, 8, 11))
    return encode(path, frames, pixel_format={"10 bit": "yuv420p10le", "4:2:2": "yuv422p"}[name])


@pytest.mark.parametrize(
    "name",
    ["29.97 fps", "variable rate", "odd size", "rotated phone video", "face missing in the middle", "10 bit", "4:2:2"],
)
def test_awkward_videos_work(stack: RunningStack, tmp_path: Path, name: str) -> None:
    video = _video(name, tmp_path / "video.mp4")
    audio = recording(tmp_path / "audio.wav", 1.0, 16_000, 1)
    job = stack.create_batch(audio, [video])["jobs"][0]
    finished = stack.wait_for(job["id"])
    assert finished["state"] == "succeeded", finished
    source = open_clip(video, name="source")
    output = open_clip(stack.download(job["id"], tmp_path / "output.mp4"), name="output")
    assert (output.width, output.height) == (source.width, source.height)
    assert output.frame_rate == source.frame_rate
    assert abs(output.frames / output.frame_rate - 1) <= 1 / output.frame_rate


@pytest.mark.parametrize(
    ("seconds", "rate", "channels"), [(1, 8_000, 1), (1, 48_000, 2), (1, 48_000, 6), (0.2, 16_000, 1)]
)
def test_any_recording_works(stack: RunningStack, tmp_path: Path, seconds: float, rate: int, channels: int) -> None:
    audio = recording(tmp_path / "audio.wav", seconds, rate, channels)
    job = stack.create_batch(audio, [SAMPLES / "astronaut.mp4"])["jobs"][0]
    finished = stack.wait_for(job["id"])
    assert finished["state"] == "succeeded", finished
    made = probe(stack.download(job["id"], tmp_path / "output.mp4"), name="output")
    assert abs(made.seconds - Fraction(str(seconds))) <= Fraction(1, 25)
    assert made.has_audio
