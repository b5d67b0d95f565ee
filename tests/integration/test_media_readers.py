"""Whole files decoded in children: the same samples as here, and a file that breaks its child breaks nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from services.errors import ChorusError, ErrorKind
from services.media import Clip, Extend, Readers, glances, open_clip, read_frames, read_speech
from services.media import readers as readers_module
from tests.gateway_stack import wait_until
from tests.media_samples import ClipRecipe, make_clip, make_sound


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_clip(path, ClipRecipe(size=(1280, 720)))
    return path


class Own(Readers):
    """Readers of one test, whose children can be told from those of others."""

    def __init__(self) -> None:
        self._others = _children()
        super().__init__()

    @property
    def children(self) -> list[psutil.Process]:
        return [each for each in _children() if each not in self._others]


@pytest.fixture
def own() -> Iterator[Own]:
    found = Own()
    yield found
    found.close()


def _children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [each for each in found if "services.media.reading_child" in each.cmdline()[-1:]]


def _kill_at_each_frame(own: Own, clip: Clip) -> None:
    with closing(own.frames(clip)) as frames:
        for _ in frames:
            _only(own).kill()


def _only(own: Own) -> psutil.Process:
    (child,) = own.children
    return child


@pytest.mark.parametrize(
    ("gop", "keyframes", "expected"),
    [
        (5, (0, 15, 30, 45, 65, 80), (0, 15, 30, 45, 65, 80)),
        (12, (0, 12, 24, 48, 60, 72), (0, 12, 24, 48, 60, 72)),
        (50, (0, 50), (0, 12, 50, 62)),
        (250, (0,), (0, 24)),
    ],
)
def test_glances_are_keyframes_and_what_follows_where_they_are_too_few(
    readers: Readers, tmp_path: Path, gop: int, keyframes: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    recipe = ClipRecipe(size=(320, 180), frames=100, gop=gop, options={"bf": "2", "qp": "0", "preset": "ultrafast"})
    clip = open_clip(make_clip(tmp_path / "clip.mp4", recipe), name="clip.mp4")
    assert glances(clip, 6) == keyframes
    wanted = glances(clip, 6, more=True)
    assert wanted == expected
    every = list(read_frames(clip, clip.frames, Extend.CUT))
    seen = list(readers.glances(clip, wanted))
    assert [frame.index for frame in seen] == list(wanted)
    for frame in seen:
        assert np.array_equal(frame.y, every[frame.index].y)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_frames_are_those_that_are_read_here(readers: Readers, tmp_path: Path, pixel_format: str) -> None:
    make_clip(tmp_path / "clip.mkv", ClipRecipe(size=(320, 180), pixel_format=pixel_format))
    clip = open_clip(tmp_path / "clip.mkv", name="clip.mkv")
    pairs = list(zip(readers.frames(clip), read_frames(clip, clip.frames, Extend.CUT), strict=True))
    assert len(pairs) == clip.frames
    for there, here in pairs:
        assert (there.index, there.bit_depth, there.matrix, there.range) == (
            here.index,
            here.bit_depth,
            here.matrix,
            here.range,
        )
        for one, other in zip(there.planes, here.planes, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.flags.writeable


@pytest.mark.parametrize("extend", [Extend.PINGPONG, Extend.FREEZE, Extend.LOOP])
def test_frames_come_in_the_order_of_an_output(readers: Readers, tmp_path: Path, extend: Extend) -> None:
    make_clip(tmp_path / "clip.mp4", ClipRecipe(size=(64, 48), frames=10))
    clip = open_clip(tmp_path / "clip.mp4", name="clip.mp4")
    pairs = list(zip(readers.frames(clip, 25, extend), read_frames(clip, 25, extend), strict=True))
    assert [there.index for there, _ in pairs] == [here.index for _, here in pairs]
    assert all(np.array_equal(there.y, here.y) for there, here in pairs)


RECIPES = {
    "as usual": ("clip.mp4", ClipRecipe(size=(320, 180))),
    "turned, wide pixels, 10 bits": (
        "clip.mov",
        ClipRecipe(size=(320, 180), pixel_format="yuv422p10le", rotation=90, aspect=Fraction(4, 3)),
    ),
    "without stamps": ("clip.avi", ClipRecipe(size=(64, 48))),
    "a photo": ("photo.png", None),
}


@pytest.mark.parametrize(("name", "recipe"), RECIPES.values(), ids=RECIPES.keys())
def test_a_clip_is_what_is_opened_here(readers: Readers, tmp_path: Path, name: str, recipe: ClipRecipe | None) -> None:
    if recipe is None:
        Image.new("RGB", (64, 48), (90, 60, 30)).save(tmp_path / name)
    else:
        make_clip(tmp_path / name, recipe)
    there, here = readers.clip(tmp_path / name, name="his"), open_clip(tmp_path / name, name="his")
    assert there == here
    assert there.timing.frame_rate == here.timing.frame_rate
    assert there.timing.counted is here.timing.counted
    np.testing.assert_array_equal(there.timing.times, here.timing.times)
    np.testing.assert_array_equal(there.timing.keyframes, here.timing.keyframes)


def test_speech_is_that_which_is_heard_here(readers: Readers, tmp_path: Path) -> None:
    sound = make_sound(tmp_path / "tone.m4a")
    np.testing.assert_array_equal(readers.speech(sound, name="tone.m4a"), read_speech(sound, name="tone.m4a"))
    with closing(readers.speech_blocks(sound, name="tone.m4a")) as blocks:
        first = next(blocks)
    np.testing.assert_array_equal(first, read_speech(sound, name="tone.m4a")[: len(first)])


def test_an_error_arrives_as_it_was_raised(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "notes.wav").write_bytes(b"no recording at all")
    with pytest.raises(ChorusError) as here:
        read_speech(tmp_path / "notes.wav", name="notes.wav")
    with pytest.raises(ChorusError) as there:
        readers.speech(tmp_path / "notes.wav", name="notes.wav")
    assert there.value == here.value


def test_who_turns_away_leaves_the_child_for_the_next(own: Own, video: Path) -> None:
    clip = open_clip(video, name="clip.mp4")
    for _ in range(3):
        with closing(own.frames(clip)) as frames:
            assert next(frames).index == 0
    children = own.children
    assert len(children) == 1
    assert sum(1 for _ in own.frames(clip)) == clip.frames
    assert own.children == children


def test_a_child_that_dies_refuses_its_own_file_only(own: Own, video: Path) -> None:
    odd, good = open_clip(video, name="odd.mp4"), open_clip(video, name="good.mp4")
    with closing(own.frames(odd)) as frames, closing(own.frames(good)) as others:
        next(frames)
        (child,) = own.children
        next(others)
        child.send_signal(signal.SIGSEGV)
        with pytest.raises(ChorusError, match=r"odd\.mp4 cannot be read") as refusal:
            list(frames)
        assert refusal.value.kind is ErrorKind.INVALID_INPUT
        assert len(list(others)) == good.frames - 1
    assert sum(1 for _ in own.frames(odd)) == odd.frames


def test_who_kills_a_child_that_reads_costs_nothing_and_twice_the_file(own: Own, video: Path) -> None:
    clip = open_clip(video, name="clip.mp4")
    with closing(own.frames(clip)) as frames:
        first = next(frames)
        _only(own).kill()
        others = list(frames)
    assert [first.index, *(each.index for each in others)] == list(range(clip.frames))
    wanted = [each.y for each in read_frames(clip, clip.frames, Extend.CUT)]
    assert all(np.array_equal(each.y, luma) for each, luma in zip(others, wanted[1:], strict=True))
    with pytest.raises(ChorusError, match=r"clip\.mp4 cannot be read"):
        _kill_at_each_frame(own, clip)


def test_a_child_that_hangs_is_ended(own: Own, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(1 for _ in own.frames(open_clip(video, name="clip.mp4"))) == 25
    (loaded,) = own.children
    monkeypatch.setattr(readers_module, "_SILENT_SECONDS", 1.0)
    loaded.kill()  # it is replaced; the next one has the shorter patience
    wait_until(lambda: not loaded.is_running())
    clip = open_clip(video, name="clip.mp4")
    with closing(own.frames(clip)) as frames:
        next(frames)
        (child,) = own.children
        child.suspend()
        with pytest.raises(ChorusError, match="cannot be read"):
            list(frames)
    assert not child.is_running()


def test_one_that_is_killed_while_it_waits_leaves_no_zombie(own: Own) -> None:
    # For a moment it still is who starts it.
    waiting = wait_until(lambda: own.children)[0]
    waiting.kill()
    wait_until(lambda: not psutil.pid_exists(waiting.pid))


def test_a_picture_for_which_memory_does_not_do_is_refused_in_words(tmp_path: Path) -> None:
    # Its luma is more than the allocator takes from what was freed before (32 MiB).
    make_clip(tmp_path / "large.mp4", ClipRecipe(frames=1, size=(7680, 4608)))
    said = subprocess.run(
        [sys.executable, "-c", _SMALL.format(path=str(tmp_path / "large.mp4"))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # FFmpeg's own want of memory is a picture that it cannot decode.
    assert said.stdout.strip() in ("probe-needs-too-much", "video-cannot-be-decoded"), said.stderr[-2000:]


_SMALL = """
import resource, socket, sys
from pathlib import Path
from services.media import Extend, open_clip, reading_child
from services.media.wire import HEADER_BYTES, Frames, Header, receive
data = int(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line).split()[1])
clip = open_clip(Path("{path}"), name="large.mp4")
ours, theirs = socket.socketpair()
theirs.settimeout(20)
reading_child.confine(data * 1024 + (4 << 20))
reading_child._answer(theirs, Frames(clip, 1, Extend.CUT))
import json
print(json.loads(bytes(receive(ours, Header.unpack(receive(ours, HEADER_BYTES)).size)))["code"])
"""
