"""Voice at every mel column: steps and state of the requests, and where in time a probability belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.voice import voice_of


class LoudSteps:
    """In Triton's place: a step's voice is 1 where it is loud; the state counts the steps."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], _outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        assert model == "voice_activity"
        samples, state = (cast(NDArray[np.float32], inputs[name]) for name in ("samples", "state"))
        assert samples.dtype == state.dtype == np.float32
        assert state.shape == (1, 2, 128)
        assert state.max() == sum(self.steps)
        steps = samples[0, 64:].reshape(-1, 512)
        self.steps.append(len(steps))
        loud = np.abs(steps).max(axis=1) > 0.01
        return {"voice": loud[None].astype(np.float32), "next_state": state + np.float32(len(steps))}


@pytest.mark.parametrize("samples", [0, 1, 199, 200, 511, 512, 16_000, 80_123])
def test_every_mel_column_has_a_voice(samples: int) -> None:
    assert voice_of(np.full(samples, 0.1, np.float32), LoudSteps()).shape == (1 + samples // 200,)


def test_a_long_recording_is_heard_in_bounded_requests_that_hand_the_state_on() -> None:
    models = LoudSteps()
    voice_of(np.full(40 * 16_000, 0.1, np.float32), models)
    assert max(models.steps) <= 512
    assert sum(models.steps) == 1 + 40 * 16_000 // 512


def test_a_voice_stands_where_it_is_heard() -> None:
    samples = np.zeros(64_000, np.float32)
    samples[16_000:32_000] = 0.1
    voice = voice_of(samples, LoudSteps())
    assert voice[84:156].min() == 1
    assert voice[:76].max() == 0
    assert voice[164:].max() == 0
