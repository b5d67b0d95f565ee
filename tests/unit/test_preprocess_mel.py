"""Mel columns against the formula written out slowly, levels, and windows of frames."""

from __future__ import annotations

from fractions import Fraction

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.mel import SAMPLE_RATE, SILENCE, column_energy, mel_of, mel_window, speech_gain


def voice(seconds: float, level: float = 0.1) -> NDArray[np.float32]:
    """Bursts of a buzzing tone in noise, with pauses."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 20))
    bursts = (np.sin(2 * np.pi * 2 * time) > 0).astype(float)
    noise = np.random.default_rng(0).normal(0, 0.01, len(time))
    return (level * (buzz * bursts + noise)).astype(np.float32)


def slow_column(samples: NDArray[np.float32], column: int) -> NDArray[np.float64]:
    """One column by the written formula: pre-emphasis, Hann window, DFT, mel filters, decibels, scale."""
    emphasised = np.append(samples[:1], samples[1:] - 0.97 * samples[:-1])
    padded = np.concatenate([np.zeros(400), emphasised, np.zeros(800)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 800)
    part = padded[column * 200 : column * 200 + 800] * hann
    waves = np.exp(-2j * np.pi * np.outer(np.arange(401), np.arange(800)) / 800)
    filters = librosa.filters.mel(sr=16000, n_fft=800, n_mels=80, fmin=55, fmax=7600)
    decibels = 20 * np.log10(np.maximum(filters @ np.abs(waves @ part), 1e-5)) - 20
    return np.asarray(np.clip(8 * (decibels + 100) / 100 - 4, -4, 4))


def test_columns_follow_the_formula() -> None:
    samples = voice(2.0)
    mel, _ = mel_of(samples)
    assert mel.shape == (80, 1 + len(samples) // 200)
    levelled = samples * np.float32(speech_gain(column_energy(samples)))
    for column in (0, 1, 37, 80, 159, 160):
        assert mel[:, column] == pytest.approx(slow_column(levelled, column), abs=2e-3)


def test_blocks_leave_no_seam() -> None:
    samples = voice(31.0)
    levelled = samples * np.float32(speech_gain(column_energy(samples)))
    mel, _ = mel_of(samples)
    for column in (2398, 2399, 2400, 2401):
        assert mel[:, column] == pytest.approx(slow_column(levelled, column), abs=2e-3)


@pytest.mark.parametrize("level", [0.003, 0.05, 0.4])
def test_level_does_not_matter(level: float) -> None:
    assert np.abs(mel_of(voice(2.0, level))[0] - mel_of(voice(2.0))[0]).max() < 0.05


def test_level_of_a_tone_in_decibels() -> None:
    samples = (0.5 * np.sin(2 * np.pi * 400 * np.arange(16000) / 16000)).astype(np.float32)
    _, level = mel_of(samples)
    assert level.shape == (81,)
    assert level[20:60] == pytest.approx(np.full(40, -9.03), abs=0.05)


@pytest.mark.parametrize("samples", [0, 1, 199, 3200])
def test_silence_and_tiny_recordings_work(samples: int) -> None:
    mel, level = mel_of(np.zeros(samples, np.float32))
    assert mel.shape == (80, 1 + samples // 200)
    assert (mel == SILENCE).all()
    assert (level <= -89).all()


@pytest.mark.parametrize("frame_rate", [Fraction(25), Fraction(30000, 1001), Fraction(60)])
@pytest.mark.parametrize("columns", [16, 5])
def test_windows_are_centred_on_the_frame(frame_rate: Fraction, columns: int) -> None:
    mel = np.tile(np.arange(800, dtype=np.float32), (80, 1))
    for frame in (10, 57, 199):
        window = mel_window(mel, frame, frame_rate, columns)
        assert window.shape == (80, columns)
        middle = (frame + 0.5) / float(frame_rate) * 80
        assert abs(float(window[0].mean()) - middle) <= 0.5
        assert (np.diff(window[0]) == 1).all()


def test_windows_at_the_ends_are_filled_with_silence() -> None:
    mel = np.ones((80, 100), np.float32)
    first = mel_window(mel, 0, Fraction(25), 16)
    assert (first[:, :6] == SILENCE).all()
    assert (first[:, 6:] == 1).all()
    last = mel_window(mel, 31, Fraction(25), 16)
    assert (last[:, 0] == 1).all()
    assert (last[:, -1] == SILENCE).all()
    assert (mel_window(mel, 400, Fraction(25), 16) == SILENCE).all()
