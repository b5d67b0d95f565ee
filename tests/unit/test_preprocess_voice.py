"""Voice at every mel column: steps and state of the requests, and where in time a probability belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.voice import speech_is_heard, voice_of


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


@pytest.mark.parametrize(
    ("spoken", "requests"), [([(0, 1)], 1), ([(40, 41)], 3), ([(20, 20.1)], 4), ([(5, 5.15), (30, 30.15)], 2), ([], 4)]
)
def test_a_recording_is_heard_until_somebody_speaks(spoken: list[tuple[float, float]], requests: int) -> None:
    samples = np.zeros(60 * 16_000, np.float32)
    for start, stop in spoken:
        samples[round(start * 16_000) : round(stop * 16_000)] = 0.1
    models, asked = LoudSteps(), []

    class Counted:
        def infer(
            self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
        ) -> dict[str, NDArray[np.generic]]:
            asked.append(model)
            models.steps.clear()
            state = np.zeros((1, 2, 128), np.float32)
            return models.infer(model, {**inputs, "state": state}, outputs)

    blocks = (samples[start : start + 1000] for start in range(0, len(samples), 1000))
    heard = speech_is_heard(blocks, Counted(), 1e9)
    assert heard == (sum(stop - start for start, stop in spoken) > 0.25)
    assert len(asked) >= requests
