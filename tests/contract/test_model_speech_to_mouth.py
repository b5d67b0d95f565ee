"""speech_to_mouth: any length, any batch, and the same mouth for the same sound wherever it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
SIGHT = 80  # columns beyond which a sound cannot be seen any more, to either side


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = ROOT / "model_repository/speech_to_mouth/1/model.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def noise(batch: int, columns: int) -> dict[str, NDArray[np.float32]]:
    """Mel and features that change slowly, as speech does."""
    steps = np.random.default_rng(columns).normal(0, 0.6, (batch, 144, columns)).cumsum(axis=2)
    swinging = np.asarray(np.sin(steps), np.float32)
    return {"mel": 4 * swinging[:, :80], "features": 2 * swinging[:, 80:]}


@pytest.mark.parametrize(("batch", "columns"), [(1, 1), (2, 33), (8, 400)])
def test_coefficients_have_the_columns_of_the_mel(
    session: onnxruntime.InferenceSession, batch: int, columns: int
) -> None:
    coefficients = session.run(None, noise(batch, columns))[0]
    assert coefficients.shape == (batch, 8, columns)
    assert coefficients.min() >= 0
    assert coefficients.max() <= 1


def test_sound_moved_in_time_moves_the_mouth_with_it(session: onnxruntime.InferenceSession) -> None:
    sound = noise(1, 400)
    later = {name: np.roll(values, 25, axis=2) for name, values in sound.items()}
    first, second = (session.run(None, given)[0] for given in (sound, later))
    inner = slice(25 + SIGHT, 400 - SIGHT)
    assert second[:, :, inner] == pytest.approx(np.roll(first, 25, axis=2)[:, :, inner], abs=1e-5)
    assert np.ptp(first[:, :, inner]) > 0.1
