"""What a source video is opened as: its rate, its length, its shape, its colours."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import pytest
from av.container import InputContainer

from services.media import ColourTags, Extend, open_clip, read_frames
from services.media.source import open_source
from tests.media_samples import ClipRecipe, Tone, make_clip, make_still, read_number

NTSC = Fraction(30000, 1001)
REORDERED = {"crf": "18", "preset": "medium"}


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts", "avi"])
@pytest.mark.parametrize("rate", [Fraction(25), NTSC, Fraction(24000, 1001), Fraction(60)])
def test_a_constant_rate_is_kept_exactly_in_every_container(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    recipe = ClipRecipe(rate=rate, frames=40, options=REORDERED, tone=None if suffix == "avi" else Tone(seconds=2))
    clip = open_clip(make_clip(tmp_path / f"a.{suffix}", recipe), name="a")
    assert (clip.frame_rate, clip.frames) == (rate, 40)
    assert clip.seconds == 40 / rate


def test_a_file_is_opened_once_for_its_first_picture_and_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def counted(path: Path, name: str) -> AbstractContextManager[InputContainer]:
        opened.append(path)
        return open_source(path, name)

    monkeypatch.setattr("services.media.pictures.open_source", counted)
    path = make_clip(tmp_path / "clip.mp4", ClipRecipe(frames=20, options={"bf": "3"}))
    assert open_clip(path, name="clip.mp4").frames == 20
    assert opened == [path]


def test_an_unusual_constant_rate_is_kept(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(rate=Fraction(2137, 100))), name="a")
    assert (clip.frame_rate, clip.frames) == (Fraction(2137, 100), 25)


def test_more_than_120_pictures_a_second_are_thinned_out(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(rate=Fraction(240), frames=48)), name="a")
    assert (clip.frame_rate, clip.frames) == (Fraction(120), 24)


@pytest.mark.parametrize(
    ("gaps", "ticks", "rate", "frames"),
    [
        # A phone that drops every third picture of 30 a second.
        ([Fraction(1, 30), Fraction(1, 30), Fraction(1, 15)] * 10, 90000, Fraction(30), 41),
        # A screen recording: 60 a second with holes of a second; the last picture is said to last for 1/30.
        (([Fraction(1, 60)] * 20 + [Fraction(1)]) * 2, 90000, Fraction(60), 162),
        # Time stamps that swing by a third of a frame are still a constant rate.
        ([Fraction(28, 1000), Fraction(52, 1000)] * 10, 1000, Fraction(25), 21),
    ],
)
def test_a_variable_rate_is_put_on_a_constant_one(
    tmp_path: Path, gaps: Sequence[Fraction], ticks: int, rate: Fraction, frames: int
) -> None:
    times = list(accumulate(gaps, initial=Fraction(0)))
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(times=times, ticks=ticks, rate=Fraction(30))), name="a")
    assert (clip.frame_rate, clip.frames) == (rate, frames)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_clip_has_the_size_that_players_show(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(rotation=rotation, mirrored=mirrored)), name="a")
    assert (clip.width, clip.height) == ((120, 160) if rotation % 180 else (160, 120))
    assert clip.rotation == (-rotation % 360) or mirrored


def test_odd_sizes_become_even(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(size=(161, 121), pixel_format="yuv444p")), name="a")
    assert (clip.width, clip.height) == (162, 122)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"])
def test_pixel_formats_that_h264_keeps_are_kept(tmp_path: Path, pixel_format: str) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(pixel_format=pixel_format)), name="a")
    assert clip.pixel_format == pixel_format


@pytest.mark.parametrize(
    ("codec", "suffix", "stored", "kept"),
    [
        ("libx264rgb", "mp4", "rgb24", "yuv420p"),
        ("ffv1", "mkv", "yuv420p12le", "yuv420p10le"),
        ("ffv1", "mkv", "yuva420p", "yuv420p"),
        ("ffv1", "mkv", "yuv411p", "yuv422p"),
        ("ffv1", "mkv", "gray", "yuv420p"),
        ("prores_ks", "mov", "yuv422p10le", "yuv422p10le"),
    ],
)
def test_other_pixel_formats_get_the_nearest(tmp_path: Path, codec: str, suffix: str, stored: str, kept: str) -> None:
    recipe = ClipRecipe(codec=codec, pixel_format=stored, options={}, frames=3)
    assert open_clip(make_clip(tmp_path / f"a.{suffix}", recipe), name="a").pixel_format == kept


def test_colour_tags_and_pixel_shape_are_read(tmp_path: Path) -> None:
    tags = {"color_range": 2, "colorspace": 9, "color_primaries": 9, "color_trc": 16}
    recipe = ClipRecipe(pixel_format="yuv420p10le", tags=tags, aspect=Fraction(4, 3), rotation=90)
    clip = open_clip(make_clip(tmp_path / "a.mp4", recipe), name="a")
    assert clip.colour == ColourTags(matrix=9, range=2, primaries=9, transfer=16)
    assert clip.sample_aspect_ratio == Fraction(3, 4)


def test_a_clip_whose_end_was_cut_off_ends_earlier(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "a.ts", ClipRecipe(frames=50, options=REORDERED))
    cut = tmp_path / "b.ts"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    clip = open_clip(cut, name="b")
    assert clip.frame_rate == 25
    assert 10 < clip.frames < 40


def test_sound_that_starts_before_the_picture_changes_nothing(tmp_path: Path) -> None:
    times = [Fraction(i, 25) + 2 for i in range(25)]
    clip = open_clip(make_clip(tmp_path / "a.mkv", ClipRecipe(times=times, tone=Tone(seconds=3))), name="a")
    assert (clip.frame_rate, clip.frames) == (Fraction(25), 25)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_photo_is_one_frame(tmp_path: Path, suffix: str) -> None:
    clip = open_clip(make_still(tmp_path / f"a%d*.{suffix}"), name="a")
    assert (clip.still, clip.frames, clip.frame_rate) == (True, 1, Fraction(25))
    assert (clip.width, clip.height, clip.pixel_format) == (160, 120, "yuv420p")


def test_a_large_photo_is_scaled_and_an_odd_one_padded(tmp_path: Path) -> None:
    large = open_clip(make_still(tmp_path / "a.jpg", (5000, 2500)), name="a")
    assert (large.width, large.height) == (3840, 1920)
    odd = open_clip(make_still(tmp_path / "b.png", (101, 77)), name="b")
    assert (odd.width, odd.height) == (102, 78)


@pytest.mark.parametrize(
    ("rate", "given", "times"),
    [(1, 25, 25), (8, 32, 4), (Fraction(25, 2), 25, 2), (15, 30, 2), (Fraction(1837, 100), Fraction(1837, 50), 2)],
)
def test_a_slow_video_gets_frames_enough_for_lips(tmp_path: Path, rate: Fraction, given: Fraction, times: int) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(rate=Fraction(rate), frames=6)), name="a")
    assert (clip.frame_rate, clip.frames, clip.seconds) == (given, 6 * times, 6 / Fraction(rate))
    shown = [read_number(frame.y) for frame in read_frames(clip, 6 * times, Extend.CUT)]
    assert shown == [number for number in range(6) for _ in range(times)]


def test_two_processes_agree(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", ClipRecipe(times=[Fraction(i * i, 90) for i in range(20)], ticks=90000))
    first, second = open_clip(path, name="a"), open_clip(path, name="a")
    assert first == second
    assert (first.timing.times == second.timing.times).all()
