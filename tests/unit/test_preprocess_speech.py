"""Speech of a recording: everything on the mel's columns, heard in bounded requests that leave no trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.faces import SPEECH_FEATURES
from services.preprocess.speech import feature_frames, feature_pieces, speech_of

RATE = 16_000


class LoudFrames:
    """In Triton's place: the features of a frame are the loudness of the 60 ms round it; voice is nowhere."""

    def __init__(self) -> None:
        self.frames: list[int] = []

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], _outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        if model == "voice_activity":
            return {
                "voice": np.zeros((1, inputs["samples"].shape[1] // 512), np.float32),
                "next_state": inputs["state"],
            }
        assert model == "speech_features"
        samples = cast(NDArray[np.float32], inputs["samples"])
        assert samples.dtype == np.float32
        loudness = np.abs(samples).reshape(-1, 320).mean(axis=1)
        self.frames.append(loudness.size)
        around = np.convolve(np.pad(loudness, 1), np.full(3, 1 / 3), "valid")
        return {"features": np.tile(around, (1, SPEECH_FEATURES, 1)).astype(np.float32)}


@pytest.mark.parametrize("samples", [0, 1, 199, 200, 319, 320, 16_000, 80_123, 170_001])
def test_everything_has_the_columns_of_the_mel(samples: int) -> None:
    speech = speech_of(np.full(samples, 0.1, np.float32), LoudFrames())
    columns = 1 + samples // 200
    assert speech.mel.shape == (80, columns)
    assert speech.level_db.shape == speech.voice.shape == (columns,)
    assert speech.features.shape == (SPEECH_FEATURES, columns)
    assert np.isfinite(speech.features).all()


def test_a_long_recording_is_heard_in_bounded_requests_as_in_one_go() -> None:
    samples = np.random.default_rng(3).normal(0, 0.1, 35 * RATE).astype(np.float32)
    models = LoudFrames()
    pieces = np.concatenate(list(feature_pieces(samples, models)), axis=1)
    assert max(models.frames) <= 600
    assert pieces.shape == (SPEECH_FEATURES, feature_frames(samples))
    levelled = np.pad(samples, (0, 320))[: feature_frames(samples) * 320]
    whole = np.convolve(np.abs(levelled).reshape(-1, 320).mean(axis=1), np.full(3, 1 / 3), "same")
    # Levelled to -23 dB, which is one factor for all.
    factor = pieces[0, 5] / whole[5]
    assert pieces[0, 1:-2] == pytest.approx(factor * whole[1:-2], rel=1e-3)


def test_a_sound_stands_where_it_is_heard() -> None:
    samples = np.zeros(4 * RATE, np.float32)
    samples[RATE : 2 * RATE] = 0.1
    heard = speech_of(samples, LoudFrames()).features[0].astype(np.float32)
    middle = heard[120]
    assert heard[86:154].min() > 0.98 * middle
    assert heard[:76].max() == heard[164:].max() == 0
