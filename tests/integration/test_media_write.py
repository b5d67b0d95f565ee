"""The output file: bit-exact pictures, exact rate, sound as long as the picture, tags, and nothing left on failure."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from services.errors import ChorusError, ErrorKind
from services.media import Clip, Extend, Frame, open_clip, read_frames, write_poster, write_video
from tests.media_samples import ClipRecipe, Tone, decode_planes, make_clip, make_sound, make_still, read_number

NTSC = Fraction(30000, 1001)


def render(path: Path, clip: Clip, count: int, sound: Path | None = None, **changes: Any) -> int:
    """Write `count` frames of the clip as they are."""
    settings: dict[str, Any] = {
        "seconds": count / clip.frame_rate, "crf": 18, "preset": "veryfast", "delivery": "source", "metadata": {}
    }  # fmt: skip
    return write_video(path, clip, read_frames(clip, count, Extend.PINGPONG), sound, **(settings | changes))


def sound_samples(path: Path) -> tuple[int, Fraction]:
    """Channels, and seconds as a player takes them: from the track's own duration."""
    with av.open(path) as container:
        stream = container.streams.audio[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        return stream.codec_context.channels, stream.duration * stream.time_base


@pytest.mark.parametrize(
    "pixel_format", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"]
)
def test_lossless_output_is_the_source_bit_for_bit(tmp_path: Path, pixel_format: str) -> None:
    source = make_clip(tmp_path / "a.mp4", ClipRecipe(pixel_format=pixel_format, frames=12))
    assert render(tmp_path / "b.mp4", open_clip(source, name="a"), 12, crf=0) == 12
    for mine, theirs in zip(decode_planes(tmp_path / "b.mp4"), decode_planes(source), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("rate", [Fraction(25), NTSC, Fraction(24000, 1001), Fraction(2137, 100), Fraction(60)])
@pytest.mark.parametrize("sound_seconds", [0.2, 4.0, 9.0])
def test_rate_count_and_lengths_are_exact(tmp_path: Path, rate: Fraction, sound_seconds: float) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(rate=rate, frames=20)), name="a")
    sound = make_sound(tmp_path / "a.wav", Tone(codec="pcm_s16le", rate=16000, layout="mono", seconds=sound_seconds))
    count = int(4 * rate)
    assert render(tmp_path / "b.mp4", clip, count, sound) == count
    with av.open(tmp_path / "b.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.base_rate, stream.average_rate, stream.frames) == (rate, rate, count)
        frames = list(container.decode(video=0))
        times = [frame.pts * frame.time_base for frame in frames if frame.pts is not None and frame.time_base]
    assert times == [i / rate for i in range(count)]
    again = open_clip(tmp_path / "b.mp4", name="b")
    assert (again.frame_rate, again.frames) == (rate, count)
    channels, seconds = sound_samples(tmp_path / "b.mp4")
    assert channels == 1
    assert abs(seconds - count / rate) < Fraction(1, 1000)


@pytest.mark.parametrize(
    ("tone", "channels", "rate"),
    [
        (Tone(codec="pcm_s16le", rate=8000, layout="mono"), 1, 48000),
        (Tone(codec="pcm_s16le", rate=44100, layout="stereo"), 2, 44100),
        (Tone(codec="pcm_s16le", rate=48000, layout="5.1"), 2, 48000),
        (Tone(codec="pcm_s16le", rate=96000, layout="mono"), 1, 48000),
    ],
)
def test_sound_is_carried_in_time(tmp_path: Path, tone: Tone, channels: int, rate: int) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4"), name="a")
    render(tmp_path / "b.mp4", clip, 50, make_sound(tmp_path / "a.wav", tone))
    with av.open(tmp_path / "b.mp4") as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.codec_context.channels) == ("aac", rate, channels)
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    spoken = np.abs(heard[: rate - 2000]).reshape(-1, 50).max(axis=1)
    assert spoken[rate // 500 :].min() > 0.02
    assert np.abs(heard[rate + 2000 : 2 * rate]).max() < 0.01
    assert abs(np.abs(np.fft.rfft(heard[:rate])).argmax() - 440) < 3


def test_colour_pixel_shape_orientation_and_metadata_are_carried(tmp_path: Path) -> None:
    tags = {"color_range": 2, "colorspace": 9, "color_primaries": 9, "color_trc": 16}
    recipe = ClipRecipe(pixel_format="yuv420p10le", tags=tags, aspect=Fraction(4, 3), rotation=90, frames=3)
    clip = open_clip(make_clip(tmp_path / "a.mp4", recipe), name="a")
    notes = {"title": "An announcement", "chorus_job": "42", "comment": "早上好"}
    render(tmp_path / "b.mp4", clip, 3, metadata=notes)
    with av.open(tmp_path / "b.mp4") as container:
        assert notes.items() <= container.metadata.items()
    again = open_clip(tmp_path / "b.mp4", name="b")
    assert again.colour == clip.colour
    assert (again.width, again.height, again.rotation) == (120, 160, 0)
    assert again.sample_aspect_ratio == Fraction(3, 4)


def test_the_index_comes_first(tmp_path: Path) -> None:
    render(tmp_path / "b.mp4", open_clip(make_clip(tmp_path / "a.mp4"), name="a"), 25)
    content = (tmp_path / "b.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_frames_are_pulled_one_at_a_time_and_sound_is_interleaved(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4"), name="a")
    sound = make_sound(tmp_path / "a.wav", Tone(codec="pcm_s16le", seconds=12))
    render(tmp_path / "b.mp4", clip, 250, sound)
    with av.open(tmp_path / "b.mp4") as container:
        places = sorted(
            (packet.pos, float(packet.dts * packet.time_base), packet.stream.type)
            for packet in container.demux()
            if packet.dts is not None and packet.pos is not None
        )
    latest = {"video": 0.0, "audio": 0.0}
    for _, seconds, kind in places:
        latest[kind] = seconds
        assert abs(latest["video"] - latest["audio"]) < 1.2


class RenderFailedError(Exception):
    """Stands for anything that goes wrong while frames are made."""


def test_nothing_is_left_when_rendering_fails(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4"), name="a")
    sound = make_sound(tmp_path / "a.wav", Tone(codec="pcm_s16le"))
    (tmp_path / "out").mkdir()

    def failing() -> Iterator[Frame]:
        yield from read_frames(clip, 10, Extend.CUT)
        raise RenderFailedError

    settings: dict[str, Any] = {"seconds": Fraction(1), "crf": 18, "preset": "veryfast", "delivery": "source"}
    with pytest.raises(RenderFailedError):
        write_video(tmp_path / "out/b.mp4", clip, failing(), sound, metadata={}, **settings)
    with pytest.raises(ChorusError, match="no frame"):
        write_video(tmp_path / "out/b.mp4", clip, iter(()), sound, metadata={}, **settings)
    with pytest.raises(ChorusError, match="no sound"):
        write_video(tmp_path / "out/b.mp4", clip, failing(), tmp_path / "a.mp4", metadata={}, **settings)
    assert list((tmp_path / "out").iterdir()) == []


_WRITE_UNDER_A_LIMIT = """
import resource, sys
from pathlib import Path
from services.errors import ChorusError
from services.media import *
clip = open_clip(Path(sys.argv[1]), name="a")
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    write_video(Path(sys.argv[2]), clip, read_frames(clip, 200, Extend.PINGPONG), None, seconds=clip.seconds, crf=0,
                preset="ultrafast", delivery="source", metadata={})
except ChorusError as error:
    print(error.kind, error)
"""


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4")
    (tmp_path / "out").mkdir()
    # A limit on the size of files is what a test can have instead of a full disk; both end in a failed write.
    said = subprocess.run(
        [sys.executable, "-c", _WRITE_UNDER_A_LIMIT, str(tmp_path / "a.mp4"), str(tmp_path / "out/b.mp4")],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert said.startswith(ErrorKind.STORAGE_FULL)
    assert f"{tmp_path}/out/b.mp4" in said
    assert list((tmp_path / "out").iterdir()) == []


def test_a_photo_becomes_a_video(tmp_path: Path) -> None:
    clip = open_clip(make_still(tmp_path / "a.png", (201, 99)), name="a")
    assert render(tmp_path / "b.mp4", clip, 30) == 30
    again = open_clip(tmp_path / "b.mp4", name="b")
    assert (again.width, again.height, again.frames, again.frame_rate) == (202, 100, 30, Fraction(25))


def test_the_poster_is_a_picture_of_the_frame(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4"), name="a")
    frame = next(read_frames(clip, 1, Extend.CUT))
    write_poster(tmp_path / "p.jpg", frame, clip)
    poster = open_clip(tmp_path / "p.jpg", name="p")
    assert (poster.still, poster.width, poster.height) == (True, 160, 120)
    shown = next(read_frames(poster, 1, Extend.CUT)).rgb().astype(int)
    assert np.abs(shown - frame.rgb()).mean() < 4
    y, u, v = (np.tile(plane, (12, 12)) for plane in frame.planes)
    write_poster(tmp_path / "p.jpg", replace(frame, y=y, u=u, v=v), clip)
    assert open_clip(tmp_path / "p.jpg", name="p").width == 1280
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "p.jpg"]


def test_a_turned_phone_video_comes_out_upright(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(rotation=270, frames=4)), name="a")
    render(tmp_path / "b.mp4", clip, 4)
    planes = decode_planes(tmp_path / "b.mp4")
    assert [read_number(np.rot90(luma, -3)) for luma, _, _ in planes] == [0, 1, 2, 3]
