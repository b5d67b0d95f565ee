"""Interlaced footage becomes whole pictures at the rate of its fields, in both field orders, flagged or not."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.stream import VideoStream
from numpy.typing import NDArray

from services.media import Clip, Extend, open_clip, read_frames
from services.media.timing import Timing, doubled
from tests.media_samples import frame_of

SIZE = (352, 576)
PICTURES = 24


def moment(time: float) -> NDArray[np.uint8]:
    """(576, 352) luma with a bright bar that moves to the right."""
    luma = np.full(SIZE[::-1], 60, np.uint8)
    luma[:, ::16] = 90
    left = 20 + round(time * 6)
    luma[100:500, left : left + 40] = 220
    return luma


def bar(luma: NDArray[np.uint8]) -> float:
    """Where the bar's middle is."""
    return float(np.median(np.nonzero(luma[300] > 150)[0]))


def write_pictures(path: Path, lumas: Iterable[NDArray[np.uint8]], flag: str | None = None) -> Path:
    """H.264 of grey pictures; with a `flag`, tff or bff, coded as interlaced."""
    options = {"crf": "8", "preset": "ultrafast"} | ({"flags": "+ilme+ildct"} if flag else {})
    graph = Graph()
    marks = [graph.add("setfield", flag or "prog"), graph.add("buffersink")]
    source = graph.add_buffer(width=SIZE[0], height=SIZE[1], format=VideoFormat("yuv420p"), time_base=Fraction(1, 25))
    graph.link_nodes(source, *marks).configure()
    grey = np.full((SIZE[1] // 2, SIZE[0] // 2), 128, np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = 6
        for number, luma in enumerate(lumas):
            picture = frame_of((luma, grey, grey), "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            graph.vpush(picture)
            container.mux(stream.encode(graph.vpull()))
        container.mux(stream.encode(None))
    return path


def woven(number: int, top_first: bool) -> NDArray[np.uint8]:
    """A picture of two moments."""
    first, second = moment(2 * number), moment(2 * number + 1)
    luma = np.empty_like(first)
    luma[0::2] = (first if top_first else second)[0::2]
    luma[1::2] = (second if top_first else first)[1::2]
    return luma


def interlaced_clip(path: Path, *, top_first: bool, flagged: bool) -> Path:
    """24 pictures of two fields each."""
    flag = ("tff" if top_first else "bff") if flagged else None
    return write_pictures(path, (woven(number, top_first) for number in range(PICTURES)), flag)


def bars(clip: Clip, count: int) -> list[float]:
    return [bar(frame.y) for frame in read_frames(clip, count, Extend.PINGPONG)]


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("flagged", [True, False])
def test_every_field_becomes_a_picture_in_its_order(tmp_path: Path, top_first: bool, flagged: bool) -> None:
    clip = open_clip(interlaced_clip(tmp_path / "a.mp4", top_first=top_first, flagged=flagged), name="a")
    assert (clip.frame_rate, clip.frames) == (Fraction(50), 2 * PICTURES)
    steps = np.diff(bars(clip, 2 * PICTURES))
    assert np.abs(steps[2:-2] - 6).max() <= 2
    # No comb: neighbouring lines show the same moment.
    for frame in list(read_frames(clip, 8, Extend.CUT))[2:]:
        assert np.abs(np.diff(frame.y[200:400].astype(int), axis=0)).mean() < 2


def test_backwards_gives_the_same_pictures_bit_for_bit(tmp_path: Path) -> None:
    clip = open_clip(interlaced_clip(tmp_path / "a.mp4", top_first=True, flagged=True), name="a")
    frames = [frame.y for frame in read_frames(clip, 4 * PICTURES - 2, Extend.PINGPONG)]
    for place in range(1, 2 * PICTURES - 1):
        assert np.array_equal(frames[place], frames[4 * PICTURES - 2 - place])


def test_progressive_footage_of_the_same_size_stays_as_it_is(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "a.mp4", (moment(2 * number) for number in range(PICTURES)))
    clip = open_clip(path, name="a")
    assert (clip.frame_rate, clip.frames) == (Fraction(25), PICTURES)


def test_pictures_that_are_shown_for_several_frames_give_their_fields_in_order() -> None:
    timing = doubled(Timing(Fraction(25), np.array([0, 0, 40, 80]), np.array([0])))
    assert timing.times.tolist() == [0, 0, 1, 1, 80, 81, 160, 161]
    assert timing.frame_rate == 50
