"""Training hears what the services hear: levels, mel columns and the noise gate must be the same in both trees."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from export.training import augmentation
from export.training.sound import RATE, level_db, levelled, mel
from services.preprocess.mel import mel_of


def _babble(seconds: float) -> np.typing.NDArray[np.float32]:
    chance = default_rng(5)
    length = int(seconds * RATE)
    times = np.arange(length) / RATE
    voice = sum(np.sin(2 * np.pi * 130 * harmonic * times) / harmonic for harmonic in range(1, 20))
    swell = np.clip(np.sin(2 * np.pi * 1.7 * times), 0, 1)
    return (0.05 * voice * swell + 0.002 * chance.standard_normal(length)).astype(np.float32)


@pytest.mark.parametrize("seconds", [2.0, 1.2345])
def test_columns_are_those_of_the_preprocess_service(seconds: float) -> None:
    samples = _babble(seconds)
    served_mel, served_level = mel_of(samples)
    np.testing.assert_allclose(level_db(samples), served_level, atol=0.02)
    # Its pre-emphasis stops with the recording, ours rings on into the silence after it.
    np.testing.assert_allclose(mel(levelled(samples))[:, :-3], served_mel[:, :-3], atol=2e-3)


def test_disturbed_speech_keeps_its_length_and_can_be_repeated() -> None:
    samples = _babble(1.0)
    first = [augmentation.disturbed(samples, [samples], default_rng(seed)) for seed in range(12)]
    again = [augmentation.disturbed(samples, [samples], default_rng(seed)) for seed in range(12)]
    for one, other in zip(first, again, strict=True):
        assert len(one) == len(samples)
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], first[1])


@pytest.mark.parametrize("sound", [augmentation.noise, augmentation.breaths, augmentation.clicks, augmentation.tones])
def test_backgrounds_have_the_asked_length(sound: object) -> None:
    assert callable(sound)
    made = sound(3 * RATE, default_rng(2))
    assert made.shape == (3 * RATE,)
    assert np.isfinite(made).all()
    assert made.any()
