"""What outputs are coded as, against the table of docs/delivery.md, for sources of every kind."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from services.jobs.options import RenderOptions
from services.media import Extend, open_clip, read_frames, write_poster
from services.media.colour import HLG, PQ
from services.media.delivery import encoding_of, level_of
from tests.delivered import SOURCES, clip_of, written
from tests.hdr_signals import hlg_of, to_bt2020
from tests.media_samples import ClipRecipe, decode_planes, frame_of, make_clip, make_sound, make_still

ROOT = Path(__file__).parents[2]
COMPATIBLE = ("h264", "High", "avc1", "yuv420p")
KEPT = {
    "plain": ("h264", "High", "avc1", "yuv420p"),
    "4:4:4": ("h264", "High 4:4:4 Predictive", "avc1", "yuv444p"),
    "4:2:2": ("h264", "High 4:2:2", "avc1", "yuv422p"),
    "full range": ("h264", "High", "avc1", "yuvj420p"),
    "10 bit": ("hevc", "Main 10", "hvc1", "yuv420p10le"),
    "10 bit 4:2:2": ("hevc", "Rext", "hvc1", "yuv422p10le"),
    "HLG": ("hevc", "Main 10", "hvc1", "yuv420p10le"),
    "PQ": ("hevc", "Main 10", "hvc1", "yuv420p10le"),
    "Display P3": ("h264", "High", "avc1", "yuv420p"),
}


def shape_of(path: Path) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Codec, profile, tag and pixel format; range, matrix, primaries and transfer of the first picture."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        picture = next(container.decode(video=0))
        context = stream.codec_context
        coded = (context.name, str(context.profile), context.codec_tag, picture.format.name)
        return coded, (picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gets_the_profile_of_the_table(tmp_path: Path, source: str) -> None:
    clip = clip_of(tmp_path, source)
    coded, colours = shape_of(written(tmp_path / "b.mp4", clip, "compatible"))
    assert coded == COMPATIBLE
    assert colours == ((1, 6, 2, 2) if source == "plain" else (1, 1, 1, 1))
    coded, colours = shape_of(written(tmp_path / "c.mp4", clip, "source"))
    assert coded == KEPT[source]
    assert colours[1:] == (clip.colour.matrix, clip.colour.primaries, clip.colour.transfer)
    for name in ("b.mp4", "c.mp4"):
        content = (tmp_path / name).read_bytes()
        assert content.index(b"moov") < content.index(b"mdat")


def test_photos_of_every_kind_play_everywhere(tmp_path: Path) -> None:
    clip = open_clip(make_still(tmp_path / "a.jpg", (201, 99)), name="a")
    assert shape_of(written(tmp_path / "b.mp4", clip, "compatible")) == (COMPATIBLE, (1, 1, 1, 1))


def test_what_plays_everywhere_already_keeps_its_bits(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", ClipRecipe(frames=6, tags={"color_range": 1, "colorspace": 6}))
    written(tmp_path / "b.mp4", open_clip(source, name="a"), "compatible", 6, crf=0)
    for mine, theirs in zip(decode_planes(tmp_path / "b.mp4"), decode_planes(source), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuvj420p", "yuv422p10le"])
def test_colours_stay_what_they_are(tmp_path: Path, pixel_format: str) -> None:
    recipe = ClipRecipe(frames=2, pixel_format=pixel_format, tags={"colorspace": 6})
    clip = open_clip(make_clip(tmp_path / "a.mp4", recipe), name="a")
    again = open_clip(written(tmp_path / "b.mp4", clip, "compatible", 2, crf=1), name="b")
    for mine, theirs in zip(read_frames(again, 2, Extend.CUT), read_frames(clip, 2, Extend.CUT), strict=True):
        assert np.abs(mine.rgb().astype(int) - theirs.rgb()).mean() < 2.5


def hlg_clip(path: Path) -> Path:
    """A grey ramp, dark to the reference white, as HLG in BT.2020."""
    signal = np.broadcast_to(np.linspace(0.1, 1, 160)[None, :, None], (120, 160, 3))
    luma = np.rint(64 + 876 * hlg_of(to_bt2020(signal**2.4 * 203.0))[..., 0]).astype(np.uint16)
    grey = np.full((60, 80), 512, np.uint16)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx265", rate=25, options={"x265-params": "lossless=1:log-level=none"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p10le"
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 9, 9, HLG
        for number in range(3):
            picture = frame_of((luma, grey, grey), "yuv420p10le")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def test_hdr_is_tone_mapped_in_the_video_and_on_its_poster(tmp_path: Path) -> None:
    clip = open_clip(hlg_clip(tmp_path / "a.mp4"), name="a")
    wanted = np.linspace(0.1, 1, 160)[8:100] * 255  # up to the knee nothing changes
    shown = next(read_frames(open_clip(written(tmp_path / "b.mp4", clip, "compatible", 2), name="b"), 1, Extend.CUT))
    assert np.abs(shown.rgb()[60, 8:100].mean(axis=1) - wanted).max() < 4
    write_poster(tmp_path / "p.jpg", next(read_frames(clip, 1, Extend.CUT)), clip)
    poster = next(read_frames(open_clip(tmp_path / "p.jpg", name="p"), 1, Extend.CUT))
    assert np.abs(poster.rgb()[60, 8:100].mean(axis=1) - wanted).max() < 6


def test_hdr_metadata_are_carried(tmp_path: Path) -> None:
    screen = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    options = {"x265-params": f"lossless=1:log-level=none:master-display={screen}:max-cll=640,110"}
    tags = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": PQ}
    recipe = ClipRecipe(frames=3, codec="libx265", pixel_format="yuv420p10le", options=options, tags=tags)
    clip = open_clip(make_clip(tmp_path / "a.mp4", recipe), name="a")
    assert clip.hdr is not None
    assert clip.hdr.display == (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10000000, 50)
    assert (clip.hdr.brightest, clip.hdr.brightest_picture, clip.hdr.peak) == (640, 110, 640)
    again = open_clip(written(tmp_path / "b.mp4", clip, "source", 3, crf=0), name="b")
    assert (again.hdr, again.colour) == (clip.hdr, clip.colour)
    for mine, theirs in zip(decode_planes(tmp_path / "b.mp4"), decode_planes(tmp_path / "a.mp4"), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize(
    ("size", "rate", "level"),
    [((640, 360), 25, "4.1"), ((1920, 1080), 30, "4.1"), ((1080, 1920), 60, "4.2"), ((3840, 2160), 30, "5.1"),
     ((3840, 2160), 60, "5.2"), ((8192, 8192), 120, "6.2")],
)  # fmt: skip
def test_level_and_bitrate_are_bounded(tmp_path: Path, size: tuple[int, int], rate: int, level: str) -> None:
    assert level_of(*size, Fraction(rate)).name == level
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(frames=2)), name="a")
    options = encoding_of(replace(clip, width=size[0], height=size[1]), "compatible", crf=18, preset="fast").options
    assert options["maxrate"] == options["bufsize"]
    assert int(options["maxrate"]) <= 1_000_000_000


def test_the_default_preset_looks_ahead_and_is_lossless_when_asked(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(frames=2)), name="a")
    said = written(tmp_path / "b.mp4", clip, "compatible", preset=RenderOptions().preset).read_bytes()
    for word in (b"rc_lookahead=20", b"me=dia", b"subme=2", b"mbtree=1", b"crf=18.0"):
        assert word in said
    assert b"rc_lookahead=10" not in written(tmp_path / "c.mp4", clip, "source", preset="faster").read_bytes()
    assert b"rc=cqp" in written(tmp_path / "d.mp4", clip, "source", crf=0).read_bytes()


def test_the_level_is_written(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(frames=2)), name="a")
    content = written(tmp_path / "b.mp4", clip, "compatible").read_bytes()
    record = content.index(b"avcC") + 4
    assert (content[record + 1], content[record + 3]) == (100, 41)


def test_the_shape_of_pixels_is_said_wherever_players_look_for_it(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", ClipRecipe(frames=4, aspect=Fraction(64, 45))), name="a")
    output = written(tmp_path / "b.mp4", clip, "compatible", sound=make_sound(tmp_path / "a.m4a"))
    content = output.read_bytes()
    tracks = [place.end() for place in re.finditer(b"tkhd", content)]
    shown = [struct.unpack(">II", content[place + 76 : place + 84]) for place in tracks]
    assert shown == [(round(160 * 64 / 45 * 65536), 120 * 65536), (0, 0)]
    assert struct.unpack(">II", content[(start := content.index(b"pasp") + 4) : start + 8]) == (64, 45)
    assert open_clip(output, name="b").sample_aspect_ratio == Fraction(64, 45)


def test_nothing_of_the_source_but_its_picture_is_carried(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mov", ClipRecipe(frames=3))
    with av.open(path) as given, av.open(tmp_path / "b.mov", "w", options={"movflags": "use_metadata_tags"}) as tagged:
        stream = given.streams.video[0]
        copy = tagged.add_stream_from_template(stream)
        tagged.metadata.update({
            "location": "+48.1374+011.5755/", "com.apple.quicktime.location.ISO6709": "+48.1374+011.5755/",
            "com.apple.quicktime.model": "Phone 17", "creation_time": "2020-02-02T02:02:02Z", "title": "Private",
        })  # fmt: skip
        copy.metadata["creation_time"] = "2020-02-02T02:02:02Z"
        for packet in given.demux(stream):
            if packet.size:
                packet.stream = copy
                tagged.mux(packet)
    output = written(tmp_path / "c.mp4", open_clip(tmp_path / "b.mov", name="b"), "compatible")
    content = output.read_bytes()
    assert not re.search(rb"48\.1374|Phone 17|2020-02-02|Private", content)
    with av.open(output) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert "creation_time" not in container.metadata
