"""What a file is, and plain words for what cannot be used."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from services.errors import ChorusError, ErrorKind
from services.media import open_clip, probe
from tests.media_samples import ClipRecipe, Tone, add_cover, make_clip, make_sound, make_still


def test_a_video_with_and_without_sound(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    path = make_clip(tmp_path / "a.mp4", ClipRecipe(rate=rate, frames=30))
    silent = probe(path, name="a")
    assert (silent.kind, silent.has_audio, silent.seconds) == ("video", False, Fraction(1001, 1000))
    assert silent.video == open_clip(path, name="a")
    assert (silent.video.width, silent.video.height, silent.video.frame_rate, silent.video.frames) == (
        160,
        120,
        rate,
        30,
    )
    assert probe(make_clip(tmp_path / "b.mov", ClipRecipe(tone=Tone())), name="b").has_audio


@pytest.mark.parametrize(
    ("file", "tone"),
    [
        ("a.wav", Tone(codec="pcm_s16le", rate=8000, layout="mono", seconds=0.2)),
        ("a.mp3", Tone(codec="libmp3lame", seconds=2)),
        ("a.m4a", Tone(seconds=2)),
        ("a.flac", Tone(codec="flac", layout="5.1")),
        ("a.ogg", Tone(codec="libopus", seconds=3)),
        ("a.mkv", Tone(seconds=2)),
        ("a.mka", Tone(codec="alac", seconds=2)),  # its packets say no duration there
    ],
)
def test_a_recording(tmp_path: Path, file: str, tone: Tone) -> None:
    info = probe(make_sound(tmp_path / file, tone), name=file)
    assert (info.kind, info.has_audio, info.video) == ("audio", True, None)
    assert abs(float(info.seconds) - tone.seconds) < 0.08


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_photo(tmp_path: Path, suffix: str) -> None:
    path = make_still(tmp_path / f"a.{suffix}")
    info = probe(path, name="a")
    assert (info.kind, info.seconds, info.has_audio) == ("still", Fraction(0), False)
    assert info.video == open_clip(path, name="a")
    assert (info.video.width, info.video.height, info.video.frame_rate, info.video.frames) == (
        160,
        120,
        Fraction(25),
        1,
    )


def test_a_photo_under_a_wrong_name_is_still_a_photo(tmp_path: Path) -> None:
    assert probe(make_still(tmp_path / "a.jpg").rename(tmp_path / "a.mp4"), name="a").kind == "still"


def test_the_cover_of_a_recording_is_not_a_video(tmp_path: Path) -> None:
    sound = make_sound(tmp_path / "a.mp3", Tone(codec="libmp3lame"))
    path = add_cover(sound, make_still(tmp_path / "c.jpg"), tmp_path / "b.mp3")
    assert probe(path, name="b").kind == "audio"
    with pytest.raises(ChorusError, match=r"song\.mp3 has no pictures, only sound"):
        open_clip(path, name="song.mp3")


def unusable(folder: Path) -> dict[str, Path]:
    clip = make_clip(folder / "whole.mp4")
    files = {
        name: folder / name
        for name in ("empty.mp4", "text.mp4", "text.txt", "cut.mp4", "list.m3u8", "junk.wav", "a.heic")
    }
    files["empty.mp4"].touch()
    files["text.mp4"].write_text("Dear colleagues, this is the announcement.\n" * 50)
    files["text.txt"].write_text("Dear colleagues, this is the announcement.\n" * 50)
    files["cut.mp4"].write_bytes(clip.read_bytes()[: clip.stat().st_size * 3 // 4])
    files["list.m3u8"].write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{clip}\n#EXT-X-ENDLIST\n")
    files["junk.wav"].write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt " + bytes(20))
    files["a.heic"].write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    files["cut.jpg"] = folder / "cut.jpg"
    files["cut.jpg"].write_bytes(make_still(folder / "whole.jpg").read_bytes()[:100])
    return files


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("empty.mp4", "is empty"),
        ("text.mp4", "is not a video, audio or picture file"),
        ("text.txt", "is not a video, audio or picture file"),
        ("list.m3u8", "is not a video, audio or picture file"),
        ("cut.mp4", "is incomplete"),
        ("junk.wav", "is incomplete"),
        ("a.heic", "is incomplete"),
        ("cut.jpg", "no picture that can be decoded"),
    ],
)
def test_what_cannot_be_used_is_named_and_explained(tmp_path: Path, file: str, words: str) -> None:
    path = unusable(tmp_path)[file]
    with pytest.raises(ChorusError, match=rf"^my {file} .*{words}") as caught:
        probe(path, name=f"my {file}")
    assert caught.value.kind is ErrorKind.INVALID_INPUT


def test_a_video_without_a_single_frame(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", ClipRecipe(frames=1, tone=Tone()))
    content = path.read_bytes()
    start = content.index(b"\x1f\x43\xb6\x75")  # the first cluster: all that follows is media
    for end, words in ((start, "is incomplete"), (start + 12, "has no picture that can be decoded")):
        path.write_bytes(content[:end])
        with pytest.raises(ChorusError, match=rf"a\.mkv {words}"):
            probe(path, name="a.mkv")


@pytest.mark.parametrize("size", [(8, 8), (8200, 16)])
def test_sizes_that_make_no_sense_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    path = make_clip(tmp_path / "a.mkv", ClipRecipe(size=size, frames=1, codec="ffv1", options={}))
    with pytest.raises(ChorusError, match=rf"a\.mkv is {size[0]} x {size[1]} pixels"):
        probe(path, name="a.mkv")


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ChorusError) as caught:
        probe(tmp_path / "a.mp4", name="a.mp4")
    assert caught.value.kind is ErrorKind.NOT_FOUND
