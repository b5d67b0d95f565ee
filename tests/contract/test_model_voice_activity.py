"""voice_activity: hears speech and not noise, and calls that carry the state on agree with one call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from services.media import read_speech

ROOT = Path(__file__).parents[2]
STEP, CONTEXT = 512, 64


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = ROOT / "model_repository/voice_activity/1/model.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def sentence() -> NDArray[np.float32]:
    """Whole steps of a spoken sentence after one second of silence."""
    samples = read_speech(ROOT / "samples/announcement_en.wav", name="the sentence")
    padded = np.concatenate([np.zeros(16_000, np.float32), samples])
    return padded[: len(padded) // STEP * STEP]


def listen(
    session: onnxruntime.InferenceSession, samples: NDArray[np.float32], steps: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities and the last state of recordings (batch, samples), heard `steps` at a time."""
    padded = np.pad(samples, ((0, 0), (CONTEXT, 0)))
    state = np.zeros((len(samples), 2, 128), np.float32)
    heard = []
    for start in range(0, samples.shape[1], steps * STEP):
        piece = padded[:, start : start + steps * STEP + CONTEXT]
        voice, state = session.run(None, {"samples": piece, "state": state})
        heard.append(voice)
    return np.concatenate(heard, axis=1), state


def test_speech_is_heard_and_silence_and_noise_are_not(
    session: onnxruntime.InferenceSession, sentence: NDArray[np.float32]
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, sentence.size).astype(np.float32)
    voice, _ = listen(session, np.stack([sentence, noise]), 10_000)
    assert voice.shape == (2, sentence.size // STEP)
    assert np.median(voice[0, 45:]) > 0.9
    assert voice[0, :28].max() < 0.2
    assert np.percentile(voice[1], 99) < 0.3


@pytest.mark.parametrize("steps", [1, 7, 64])
def test_calls_that_carry_the_state_agree_with_one_call(
    session: onnxruntime.InferenceSession, sentence: NDArray[np.float32], steps: int
) -> None:
    whole, last = listen(session, sentence[None], 10_000)
    pieces, carried = listen(session, sentence[None], steps)
    np.testing.assert_allclose(pieces, whole, atol=1e-5)
    np.testing.assert_allclose(carried, last, atol=1e-4)


def test_recordings_of_one_batch_do_not_hear_each_other(
    session: onnxruntime.InferenceSession, sentence: NDArray[np.float32]
) -> None:
    both = np.stack([sentence, sentence[::-1]])
    together, _ = listen(session, both, 32)
    for row in (0, 1):
        alone, _ = listen(session, both[row : row + 1], 32)
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)
