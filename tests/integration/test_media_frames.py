"""The frames of a clip: which pictures, in which order, bit for bit, in bounded memory."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from services.media import Extend, Frame, open_clip, read_frames, source_index
from services.media import frames as frames_module
from tests.media_samples import (
    LOSSLESS,
    ClipRecipe,
    Planes,
    Tone,
    decode_planes,
    make_clip,
    make_still,
    orient_jpeg,
    pattern,
    read_number,
    remux,
)

X264 = {"crf": "20", "preset": "medium"}
SOURCES = {
    "plain.mp4": ClipRecipe(frames=40),
    "unpadded_rows.mp4": ClipRecipe(frames=40, size=(256, 256), options=X264),
    "reordered.mp4": ClipRecipe(frames=40, options=X264),
    "open_gop.mp4": ClipRecipe(frames=40, options={**X264, "x264-params": "open-gop=1:bframes=5:b-pyramid=normal"}),
    "open_gop.ts": ClipRecipe(frames=40, options={**X264, "x264-params": "open-gop=1:bframes=5"}),
    "one_gop.mkv": ClipRecipe(frames=40, options=X264, gop=400),
    "reordered.mkv": ClipRecipe(frames=40, options=X264, tone=Tone(seconds=2)),
    "reordered.avi": ClipRecipe(frames=40, options=X264),
    "plain.avi": ClipRecipe(frames=40, codec="mpeg4", options={"q": "2"}),
    "all_intra.mp4": ClipRecipe(frames=40, gop=1),
    "hevc.mp4": ClipRecipe(
        frames=40, codec="libx265", options={"crf": "20", "x265-params": "log-level=none:open-gop=1"}
    ),
    "vp9.webm": ClipRecipe(frames=40, codec="libvpx-vp9", options={"crf": "20", "b": "0", "cpu-used": "8"}),
}


def numbers(frames: list[Frame]) -> list[int]:
    return [read_number(frame.y, frame.bit_depth) for frame in frames]


def same(frame: Frame, planes: Planes) -> bool:
    return all(np.array_equal(mine, theirs) for mine, theirs in zip(frame.planes, planes, strict=True))


@pytest.mark.parametrize("source", SOURCES)
def test_frames_come_in_order_and_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    path = make_clip(tmp_path / source, SOURCES[source])
    monkeypatch.setattr(frames_module, "_BACKWARD_BYTES", 7 * 160 * 120 * 3 // 2)
    truth = decode_planes(path)
    assert len(truth) == 40
    for extend in Extend:
        given = []
        for frame in read_frames(open_clip(path, name="a"), 90, extend):
            given.append(frame.index)
            assert read_number(frame.y) == frame.index
            assert same(frame, truth[frame.index])
            for plane in frame.planes:  # as the compositor does: it must hurt neither the decoder nor the next frame
                plane[:] = 99
        assert given == [source_index(i, 40, extend) for i in range(90)]


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("extend", list(Extend))
def test_very_short_clips_are_extended(tmp_path: Path, frames: int, extend: Extend) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(frames=frames)), name="a")
    given = list(read_frames(clip, 11, extend))
    assert [frame.index for frame in given] == numbers(given) == [source_index(i, frames, extend) for i in range(11)]


def test_fewer_frames_than_the_clip_has(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4"), name="a")
    assert numbers(list(read_frames(clip, 7, Extend.PINGPONG))) == list(range(7))
    assert list(read_frames(clip, 0, Extend.PINGPONG)) == []


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le"])
@pytest.mark.parametrize("size", [(160, 120), (162, 122), (100, 66)])
def test_planes_are_those_of_the_source(tmp_path: Path, pixel_format: str, size: tuple[int, int]) -> None:
    path = make_clip(tmp_path / "a.mp4", ClipRecipe(pixel_format=pixel_format, size=size, frames=5))
    for number, frame in enumerate(read_frames(open_clip(path, name="a"), 5, Extend.CUT)):
        assert same(frame, pattern(number, *size, pixel_format))
        assert frame.bit_depth == (10 if pixel_format.endswith("10le") else 8)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le"])
def test_turned_clips_come_upright(tmp_path: Path, rotation: int, mirrored: bool, pixel_format: str) -> None:
    recipe = ClipRecipe(rotation=rotation, mirrored=mirrored, pixel_format=pixel_format, frames=2)
    clip = open_clip(make_clip(tmp_path / "a.mp4", recipe), name="a")
    frame = next(read_frames(clip, 1, Extend.CUT))
    turned = [np.rot90(plane, rotation // 90) for plane in pattern(0, 160, 120, pixel_format)]
    expected = [plane[:, ::-1] if mirrored else plane for plane in turned]
    assert same(frame, (expected[0], expected[1], expected[2]))
    assert (frame.width, frame.height) == (clip.width, clip.height)


def test_a_quarter_turn_of_422_keeps_luma_bit_for_bit(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(rotation=90, pixel_format="yuv422p", frames=2)), name="a")
    frame = next(read_frames(clip, 1, Extend.CUT))
    assert clip.pixel_format == "yuv444p"
    assert np.array_equal(frame.y, np.rot90(pattern(0, 160, 120, "yuv422p")[0]))
    assert frame.u.shape == frame.y.shape


@pytest.mark.parametrize(
    ("pixel_format", "codec"),
    [("yuv420p", "ffv1"), ("yuv422p", "ffv1"), ("yuv444p", "libx264"), ("yuv420p10le", "ffv1")],
)
def test_odd_sizes_repeat_the_last_row_and_column(tmp_path: Path, pixel_format: str, codec: str) -> None:
    recipe = ClipRecipe(size=(161, 121), pixel_format=pixel_format, codec=codec, frames=2)
    recipe_options = recipe if codec == "libx264" else ClipRecipe(
        size=recipe.size, pixel_format=pixel_format, codec=codec, frames=2, options={}
    )  # fmt: skip
    path = make_clip(tmp_path / "a.mkv", recipe_options)
    frame = next(read_frames(open_clip(path, name="a"), 1, Extend.CUT))
    stored = pattern(0, 161, 121, pixel_format)
    assert frame.y.shape == (122, 162)
    for mine, theirs in zip(frame.planes, stored, strict=True):
        assert np.array_equal(mine[: theirs.shape[0], : theirs.shape[1]], theirs)
        assert np.array_equal(mine[-1], mine[theirs.shape[0] - 1])
        assert np.array_equal(mine[:, -1], mine[:, theirs.shape[1] - 1])


def test_a_variable_rate_shows_the_newest_picture(tmp_path: Path) -> None:
    times = [Fraction(n, 30) for n in (0, 1, 2, 6, 7, 8, 9, 15, 16, 17)]
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(times=times, ticks=90000, rate=Fraction(30))), name="a")
    shown = [0, 1, 2, 2, 2, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 7, 8, 9]
    given = list(read_frames(clip, len(shown) * 2 - 2, Extend.PINGPONG))
    assert numbers(given) == shown + shown[-2:0:-1]
    given[3].y[:] = 0
    assert read_number(given[2].y) == read_number(given[4].y) == 2


@pytest.mark.parametrize("broken", [[14], [10], [10, 11, 12], [0], [29]])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libvpx-vp9"])
def test_a_broken_picture_is_replaced_not_fatal(tmp_path: Path, codec: str, broken: list[int]) -> None:
    options = {"libx264": LOSSLESS, "mpeg4": {"q": "3"}, "libvpx-vp9": {"crf": "20", "cpu-used": "8"}}[codec]
    whole = make_clip(tmp_path / "a.mkv", ClipRecipe(frames=30, gop=10, options=options, codec=codec))
    clip = open_clip(remux(whole, tmp_path / "b.mkv", broken=broken), name="b")
    for extend in (Extend.PINGPONG, Extend.LOOP):
        given = numbers(list(read_frames(clip, 2 * clip.frames, extend)))
        lost = 30 - clip.frames  # at the start, before the first picture that can be decoded
        wanted = [source_index(i, clip.frames, extend) + lost for i in range(2 * clip.frames)]
        # The broken pictures, and those that lean on them, may differ; whole groups of pictures may not.
        hurt = {group for number in broken for group in range(number // 10 * 10, number // 10 * 10 + 10)}
        assert all(mine == theirs for mine, theirs in zip(given, wanted, strict=True) if theirs not in hurt)


@pytest.mark.parametrize("shift", [Fraction(-1, 5), Fraction(7, 5)])
def test_an_edit_list_hides_what_lies_before_it(tmp_path: Path, shift: Fraction) -> None:
    whole = make_clip(tmp_path / "a.mp4", ClipRecipe(frames=40, options=X264))
    path = remux(whole, tmp_path / "b.mp4", shift=shift)
    clip = open_clip(path, name="b")
    shown = list(range(5 if shift < 0 else 0, 40))
    assert (clip.frame_rate, clip.frames) == (Fraction(25), len(shown))
    assert numbers(list(read_frames(clip, 2 * len(shown) - 2, Extend.PINGPONG))) == shown + shown[-2:0:-1]


def test_a_recording_that_starts_in_the_middle_starts_where_it_can(tmp_path: Path) -> None:
    content = make_clip(tmp_path / "a.ts", ClipRecipe(frames=40, options=X264)).read_bytes()
    (tmp_path / "b.ts").write_bytes(content[len(content) // 188 // 5 * 188 :])
    clip = open_clip(tmp_path / "b.ts", name="b")
    given = numbers(list(read_frames(clip, clip.frames, Extend.CUT)))
    assert given == list(range(12, 40))


@pytest.mark.parametrize("color_range", [1, 2])
@pytest.mark.parametrize("stored", ["yuv420p12le", "yuva420p", "gray"])
def test_converted_formats_keep_their_luma(tmp_path: Path, stored: str, color_range: int) -> None:
    tags = {"color_range": color_range, "colorspace": 1, "color_primaries": 1, "color_trc": 1}
    recipe = ClipRecipe(pixel_format=stored, codec="ffv1", options={}, frames=2, tags=tags)
    path = make_clip(tmp_path / "a.mkv", recipe)
    frame = next(read_frames(open_clip(path, name="a"), 1, Extend.CUT))
    with av.open(path) as container:
        picture = next(container.decode(video=0))
        deep = "12" in stored
        luma = np.frombuffer(bytes(picture.planes[0]), np.dtype("u2" if deep else "u1")).reshape(120, -1)[:, :160]
    assert np.abs(frame.y.astype(int) - luma // (4 if deep else 1)).max() <= 1


@pytest.mark.parametrize("stored", ["gray", "gray10le", "ya8"])
def test_grey_has_no_tint(tmp_path: Path, stored: str) -> None:
    path = make_clip(tmp_path / "a.mkv", ClipRecipe(pixel_format=stored, codec="ffv1", options={}, frames=2))
    rgb = next(read_frames(open_clip(path, name="a"), 1, Extend.CUT)).rgb().astype(int)
    assert np.ptp(rgb) > 100
    assert np.ptp(rgb, axis=2).max() == 0


@pytest.mark.parametrize(
    ("file", "codec", "pixel_format"),
    [
        ("a.flv", "flv1", "yuv420p"),
        ("a.wmv", "wmv2", "yuv420p"),
        ("a.mpg", "mpeg2video", "yuv420p"),
        ("a.mkv", "mjpeg", "yuvj420p"),
        ("a.mov", "prores_ks", "yuv422p10le"),
    ],
)
def test_other_codecs_and_containers(tmp_path: Path, file: str, codec: str, pixel_format: str) -> None:
    recipe = ClipRecipe(codec=codec, pixel_format=pixel_format, options={}, frames=30)
    clip = open_clip(make_clip(tmp_path / file, recipe), name=file)
    assert numbers(list(read_frames(clip, 58, Extend.PINGPONG))) == [*range(30), *range(28, 0, -1)]


def test_playing_backwards_holds_no_more_than_its_part_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(frames=60)), name="a")
    decoded = alive = most = 0
    monkeypatch.setattr(frames_module, "_BACKWARD_BYTES", 10 * 160 * 120 * 3 // 2)
    forwards = frames_module._forwards

    def counting(*arguments: object) -> object:
        nonlocal decoded, alive, most
        alive = 0
        for shown in forwards(*arguments):  # type: ignore[arg-type]
            decoded += 1
            alive += 1
            most = max(most, alive if decoded > 60 else 0)
            yield shown

    monkeypatch.setattr(frames_module, "_forwards", counting)
    given = 0
    tracemalloc.start()
    for _ in read_frames(clip, 118, Extend.PINGPONG):
        given += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (given, decoded, most) == (118, 118, 10)
    assert peak < 8 * 160 * 120 * 3 // 2


def test_a_photo_is_decoded_once_and_repeated_in_copies(tmp_path: Path) -> None:
    clip = open_clip(make_still(tmp_path / "a.png"), name="a")
    given = list(read_frames(clip, 4, Extend.PINGPONG))
    assert [frame.index for frame in given] == [0, 0, 0, 0]
    given[0].y[:] = 0
    assert given[1].y.any()
    assert np.array_equal(given[1].y, given[3].y)
    red = given[1].rgb_region(4, 4, 36, 26).reshape(-1, 3).mean(axis=0)
    assert np.abs(red - (255, 0, 0)).max() < 4


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
def test_a_phone_photo_is_upright(tmp_path: Path, orientation: int, corner: tuple[int, int]) -> None:
    clip = open_clip(orient_jpeg(make_still(tmp_path / "a.jpg"), orientation), name="a")
    rgb = next(read_frames(clip, 1, Extend.CUT)).rgb()
    corners = rgb[[5, -6]][:, [5, -6]].astype(int)
    redness = corners[..., 0] - corners[..., 1]
    assert np.unravel_index(redness.argmax(), (2, 2)) == corner
