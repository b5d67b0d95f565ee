"""Speech out of anything that holds sound."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from services.errors import ChorusError, ErrorKind
from services.media import read_speech, speech_seconds
from tests.media_samples import ClipRecipe, Tone, make_clip, make_sound, tone_samples

EXACT = [
    ("a.wav", Tone(codec="pcm_s16le", rate=8000, layout="mono")),
    ("a.wav", Tone(codec="pcm_s16le", rate=44100)),
    ("a.wav", Tone(codec="pcm_f32le", rate=48000, seconds=0.2)),
    ("a.wav", Tone(codec="pcm_s16le", rate=48000, layout="5.1")),
    ("a.wav", Tone(codec="pcm_s24le", rate=96000, layout="7.1", seconds=0.7)),
    ("a.flac", Tone(codec="flac", rate=16000, layout="mono", seconds=1.2345)),
    ("a.mp3", Tone(codec="libmp3lame", rate=44100)),
]
WITHIN_A_BLOCK = [
    ("a.m4a", Tone(codec="aac", rate=44100, layout="mono")),
    ("a.m4a", Tone(codec="aac", rate=48000, layout="5.1")),
    ("a.ogg", Tone(codec="libopus", rate=48000, seconds=0.2)),
    ("a.mkv", Tone(codec="aac", rate=22050, seconds=2)),
]


def main_frequency(speech: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    return float(np.abs(np.fft.rfft(speech)).argmax() * 16000 / len(speech))


@pytest.mark.parametrize(("file", "tone"), EXACT + WITHIN_A_BLOCK)
def test_any_rate_and_layout_becomes_mono_at_16_khz(tmp_path: Path, file: str, tone: Tone) -> None:
    path = make_sound(tmp_path / file, tone)
    speech, seconds = read_speech(path, name=file), speech_seconds(path)
    assert speech.dtype == np.float32
    assert speech.ndim == 1
    assert abs(len(speech) - seconds * 16000) <= 16
    assert abs(seconds - Fraction(tone.seconds)) <= (0 if (file, tone) in EXACT else Fraction(1, 20)) + Fraction(
        1, tone.rate
    )
    assert abs(main_frequency(speech) - 440) < 6
    assert 0.2 < np.abs(speech).max() <= 1


def test_speech_lies_where_it_was_recorded(tmp_path: Path) -> None:
    tone = Tone(codec="pcm_s16le", rate=48000, layout="mono", seconds=1)
    speech = read_speech(make_sound(tmp_path / "a.wav", tone), name="a")
    truth = tone_samples(Tone(rate=16000, seconds=1))
    assert np.abs(speech[200:-200] - truth[200:-200]).max() < 0.01


def test_the_sound_of_a_video_is_used_wherever_it_starts(tmp_path: Path) -> None:
    times = [Fraction(i, 25) + 1 for i in range(25)]
    path = make_clip(tmp_path / "a.mkv", ClipRecipe(times=times, tone=Tone(codec="flac", seconds=1.5)))
    assert abs(speech_seconds(path) - Fraction(3, 2)) < Fraction(1, 1000)
    assert len(read_speech(path, name="a")) == pytest.approx(24000, abs=16)


def test_broken_numbers_do_no_harm(tmp_path: Path) -> None:
    samples = tone_samples(Tone(rate=16000)) * 9
    samples[1000:1010] = np.nan
    samples[2000] = np.inf
    path = tmp_path / "a.wav"
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_f32le", rate=16000, layout="mono")
        frame = AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.rate = 16000
        container.mux(stream.encode(frame))
    speech = read_speech(path, name="a")
    assert np.isfinite(speech).all()
    assert np.abs(speech).max() == 1
    assert len(speech) == 16000


def test_a_recording_that_was_cut_off_is_read_to_there(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "a.wav", Tone(codec="pcm_s16le", layout="mono"))
    path.write_bytes(path.read_bytes()[: 44 + 48000])
    assert abs(speech_seconds(path) - Fraction(1, 2)) < Fraction(1, 100)


def test_no_sound_is_said_plainly(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    for read in (lambda: read_speech(path, name="silent.mp4"), lambda: speech_seconds(path, name="silent.mp4")):
        with pytest.raises(ChorusError, match=r"silent\.mp4 has no sound") as caught:
            read()
        assert caught.value.kind is ErrorKind.INVALID_INPUT


def test_channels_that_nobody_can_mix_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(9)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(bytes(2 * 9 * 4800))
    with pytest.raises(ChorusError, match=r"a\.wav has 9 channels that cannot be mixed"):
        read_speech(path, name="a.wav")
