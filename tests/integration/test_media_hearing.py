"""Which sound of a file is the speech: channels that cancel out, a centre among six, one of several tracks."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from services.media import Mix, probe, read_speech, speech_seconds
from services.media.hearing import choose_sound, is_clipped

SPEECH = Path(__file__).parents[2] / "samples" / "announcement_en.wav"


def speech() -> NDArray[np.float32]:
    """(samples,) at 16 kHz, 3 s."""
    return read_speech(SPEECH, name="speech")[: 3 * 16000]


def write_tracks(path: Path, tracks: list[tuple[str, NDArray[np.float32]]]) -> Path:
    """A file with tracks of 16-bit sound at 16 kHz: the layout and (channels, samples) of each."""
    with av.open(path, "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=16000, layout=layout) for layout, _ in tracks]
        for stream, (layout, samples) in zip(streams, tracks, strict=True):
            whole = np.ascontiguousarray((samples.clip(-1, 1) * 32767).astype(np.int16).T.reshape(1, -1))
            frame = AudioFrame.from_ndarray(whole, format="s16", layout=layout)
            frame.rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def alike(heard: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    size = min(len(heard), len(truth))
    return float(np.corrcoef(heard[:size], truth[:size])[0, 1])


def test_channels_that_cancel_are_heard_by_their_difference(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "a.wav", [("stereo", np.stack([speech(), -speech()]))])
    assert choose_sound(path, "a").mix is Mix.DIFFERENCE
    heard = read_speech(path, name="a")
    assert alike(heard, speech()) > 0.99
    assert np.abs(heard).max() == pytest.approx(np.abs(speech()).max(), abs=0.01)


@pytest.mark.parametrize("right", [1.0, 0.0, 0.5, -0.2])
def test_ordinary_stereo_is_mixed_as_ever(tmp_path: Path, right: float) -> None:
    path = write_tracks(tmp_path / "a.wav", [("stereo", np.stack([speech(), right * speech()]))])
    assert choose_sound(path, "a").mix is Mix.ALL
    assert alike(read_speech(path, name="a"), speech()) > 0.99


def test_of_six_channels_the_centre_speaks(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (6, len(speech()))).astype(np.float32)
    noise[2] = speech()
    path = write_tracks(tmp_path / "a.wav", [("5.1", noise)])
    assert choose_sound(path, "a").mix is Mix.CENTRE
    assert alike(read_speech(path, name="a"), speech()) > 0.99
    noise[2] = 0
    assert choose_sound(write_tracks(tmp_path / "b.wav", [("5.1", noise)]), "b").mix is Mix.ALL


@pytest.mark.parametrize("other", ["silence", "hum", "noise"])
def test_of_several_tracks_the_first_with_speech_is_taken(tmp_path: Path, other: str) -> None:
    size = 2 * len(speech())
    sounds = {
        "silence": np.zeros(size),
        "hum": 0.3 * np.sin(np.arange(size) * 0.05),
        "noise": np.random.default_rng(0).normal(0, 0.1, size),
    }
    tracks = [("mono", sounds[other][None].astype(np.float32)), ("mono", speech()[None]), ("mono", speech()[None] / 2)]
    path = write_tracks(tmp_path / "a.mkv", tracks)
    choice = choose_sound(path, "a")
    assert (choice.track, choice.tracks) == (1, 3)
    assert alike(read_speech(path, name="a"), speech()) > 0.99
    assert speech_seconds(path, name="a") == 3
    info = probe(path, name="a")
    assert info.sound == choice
    assert float(info.seconds) == pytest.approx(3, abs=0.1)


def test_a_clipped_recording_is_told_from_a_loud_one(tmp_path: Path) -> None:
    loud = speech() / np.abs(speech()).max() * 0.98
    assert not is_clipped(write_tracks(tmp_path / "a.wav", [("mono", loud[None])]), "a", 0)
    assert is_clipped(write_tracks(tmp_path / "b.wav", [("mono", 8 * loud[None])]), "b", 0)
    info = probe(tmp_path / "b.wav", name="b")
    assert info.clipped


def test_the_samples_of_the_product_need_no_words() -> None:
    for name in ("announcement_en.wav", "announcement_zh.wav"):
        info = probe(SPEECH.with_name(name), name=name)
        assert (info.sound and info.sound.mix, info.clipped) == (Mix.ALL, False)
    with wave.open(str(SPEECH)) as source:
        assert source.getnchannels() == 1
