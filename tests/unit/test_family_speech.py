"""Mouth coefficients: gate, closures, sampling at any rate, pieces of long recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from services.gateway.families.speech import CLOSE, COEFFICIENTS, mouth_coefficients, noise_gate, sample_coefficients
from services.preprocess.faces import MEL_RATE, Speech
from services.triton import TritonClient

RATES = [Fraction(25), Fraction(60), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(10)]


class LocalNet:
    """In Triton's place: a net that averages 73 columns of the first mel band, and remembers its requests."""

    def __init__(self) -> None:
        self.columns: list[int] = []

    def infer(
        self, _model: str, inputs: Mapping[str, NDArray[np.generic]], _outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        mel = cast(NDArray[np.float32], inputs["mel"])
        self.columns.append(mel.shape[2])
        seen = np.convolve(np.pad(mel[0, 0], 36), np.full(73, 1 / 73), "valid")
        return {"coefficients": np.repeat(seen[None, None], len(COEFFICIENTS), axis=1).astype(np.float32)}


def speech_of(columns: int, level: float = -20.0) -> Speech:
    """Half a second of silence, then a level that swings like speech; the mel is the column's time."""
    level_db = level + 6 * np.sin(np.arange(columns) / 5)
    level_db[:40] = -70
    mel = np.tile(np.linspace(0, 1, columns), (80, 1))
    return Speech(mel.astype(np.float32), level_db.astype(np.float32))


def test_long_recordings_are_heard_in_pieces_as_in_one_go() -> None:
    net = LocalNet()
    speech = speech_of(10_000)
    coefficients = mouth_coefficients(speech, cast(TritonClient, net))
    whole = np.convolve(np.pad(speech.mel[0], 36), np.full(73, 1 / 73), "valid") * noise_gate(speech.level_db)
    assert len(net.columns) == 3
    assert max(net.columns) < 4200
    np.testing.assert_allclose(coefficients[:10_000, 0], whole, atol=1e-5)


def test_a_recording_that_ends_in_a_sound_comes_to_rest_softly() -> None:
    coefficients = mouth_coefficients(speech_of(800), cast(TritonClient, LocalNet()))
    jaw = coefficients[790:, 0]
    assert jaw[0] > 0.4
    assert coefficients[-1].max() == 0
    assert np.abs(np.diff(jaw)).max() < 0.15


@pytest.mark.parametrize("columns", [1, 7, 16])
def test_the_shortest_recordings_have_coefficients(columns: int) -> None:
    coefficients = mouth_coefficients(speech_of(columns), cast(TritonClient, LocalNet()))
    assert coefficients.shape[1] == len(COEFFICIENTS)
    assert np.isfinite(coefficients).all()


def test_the_gate_is_shut_in_silence_and_steady_noise() -> None:
    noise = np.random.default_rng(0).normal(-45, 0.8, 800).astype(np.float32)
    assert noise_gate(np.full(800, -90, np.float32)).max() == 0
    assert noise_gate(noise).mean() < 0.02


def test_the_gate_opens_for_speech_and_shuts_for_pauses() -> None:
    level_db = np.full(800, -60, np.float32)
    level_db[200:600] = -22
    gate = noise_gate(level_db)
    assert gate[210:590].min() > 0.99
    assert gate[:170].max() < 0.01


def test_digital_silence_does_not_open_the_gate_for_room_noise() -> None:
    level_db = np.full(1000, -90, np.float32)
    level_db[300:600] = -65
    level_db[600:] = -20
    gate = noise_gate(level_db)
    assert gate[320:570].max() < 0.01
    assert gate[620:].min() > 0.99


@pytest.mark.parametrize("rate", RATES)
def test_a_closure_of_50_ms_survives_the_frame_rate(rate: Fraction) -> None:
    columns = np.zeros((400, len(COEFFICIENTS)), np.float32)
    for start in range(20, 380, 40):
        columns[start : start + 4, CLOSE] = 1
    frames = np.arange(int(5 * rate))
    shut = sample_coefficients(columns, frames, rate)[:, CLOSE]
    if rate >= 20:
        middles = np.arange(20, 380, 40) / MEL_RATE + 1.5 / MEL_RATE
        nearest = np.floor(middles * float(rate)).astype(int)
        assert shut[nearest].min() > 0.9
    assert shut.max() <= 1


@pytest.mark.parametrize("rate", RATES)
def test_coefficients_are_taken_in_the_middle_of_each_frame(rate: Fraction) -> None:
    columns = np.tile(np.linspace(0, 1, 801, dtype=np.float32)[:, None], (1, len(COEFFICIENTS)))
    frames = np.arange(int(10 * rate))
    jaw = sample_coefficients(columns, frames, rate)[:, 0]
    np.testing.assert_allclose(jaw, (frames + 0.5) / float(rate) / 10, atol=1e-5)


def test_after_the_recording_the_mouth_rests() -> None:
    coefficients = mouth_coefficients(speech_of(80), cast(TritonClient, LocalNet()))
    assert sample_coefficients(coefficients, np.array([24]), Fraction(25)).max() > 0.1
    assert sample_coefficients(coefficients, np.array([29, 30, 1000]), Fraction(25)).max() == 0


def test_frames_are_sampled_alike_in_any_order() -> None:
    columns = np.random.default_rng(1).random((200, len(COEFFICIENTS)), np.float32)
    together = sample_coefficients(columns, np.arange(50), Fraction(25))
    apart = sample_coefficients(columns, np.array([7, 3]), Fraction(25))
    np.testing.assert_array_equal(apart, together[[7, 3]])
