"""The models and the silence policy together: the mouth rests where nobody speaks, and moves where somebody does."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from services.jobs.options import RenderOptions
from services.media import read_speech
from services.preprocess.speech import speech_of
from services.render.families.default.speech import mouth_coefficients
from services.triton import TritonClient
from tests.quality.onnx_models import OnnxModels

ROOT = Path(__file__).parents[2]
RATE = 16_000
SHUT = 0.012
SECONDS = 8
Sound = NDArray[np.float32]


@pytest.fixture(scope="module")
def models() -> OnnxModels:
    return OnnxModels()


@pytest.fixture(scope="module")
def sentence() -> Sound:
    return read_speech(ROOT / "samples/announcement_en.wav", name="the sentence")


def opening(sound: Sound, models: OnnxModels) -> NDArray[np.float32]:
    """(columns,) how far the lips are asked to part, in eye distances."""
    coefficients = mouth_coefficients(
        speech_of(sound, models), RenderOptions(), cast(TritonClient, models)
    ).coefficients
    jaw, close, _, _, _, lower, fv, _ = coefficients.T
    return np.asarray((0.215 * jaw + 0.03 * lower) * (1 - close) * (1 - 0.8 * fv), np.float32)


def level_of(sound: Sound) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def noise(kind: str, seconds: float = SECONDS) -> Sound:
    """Sounds that are none of a voice, at the level of loud speech."""
    random = np.random.default_rng(4)
    time = np.arange(int(seconds * RATE)) / RATE
    white = random.normal(size=time.size)
    spectrum = np.fft.rfft(white)
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(spectrum.size) + 1), time.size)
    sounds = {
        "white": white,
        "pink": pink,
        "breath": pink * np.clip(np.sin(2 * np.pi * 0.4 * time), 0, 1) ** 2,
        "hum": sum(np.sin(2 * np.pi * 50 * k * time) / k for k in (1, 2, 3, 5)),
        "clicks": white * (time % 0.31 < 0.006),
        "chords": sum(np.sin(2 * np.pi * pitch * time) for pitch in (220, 277, 330)) * np.exp(-4 * (time % 0.5)),
    }
    sound: Sound = np.asarray(sounds[kind], np.float32)
    return 0.07 / np.float32(level_of(sound)) * sound


@pytest.mark.parametrize("kind", ["white", "pink", "breath", "hum", "clicks", "chords"])
def test_the_mouth_rests_when_nobody_speaks(kind: str, models: OnnxModels) -> None:
    assert np.mean(opening(noise(kind), models) < SHUT) >= 0.99


@pytest.mark.parametrize("kind", ["pink", "clicks", "chords"])
def test_the_mouth_moves_with_speech_in_noise_and_rests_in_the_pauses(
    kind: str, models: OnnxModels, sentence: Sound
) -> None:
    pause = np.zeros(3 * RATE, np.float32)
    clean = np.concatenate([pause, sentence, pause])
    disturbed = noise(kind, len(clean) / RATE)
    disturbed *= level_of(sentence) / level_of(disturbed) / 10**0.5
    found, wanted = opening(clean + disturbed, models), opening(clean, models)
    first, last = 3 * 80, len(clean) // 200 - 3 * 80
    assert found[: first - 40].max() < SHUT
    assert np.mean(found[last + 40 : last + 200] < SHUT) >= 0.99
    wide = np.flatnonzero(wanted > 0.05)
    assert wide.size > 0.15 * (last - first)
    assert np.mean(found[wide] > 0.02) >= 0.9
