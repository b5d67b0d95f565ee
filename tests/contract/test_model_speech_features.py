"""speech_features: any length, any batch, cuts that leave no trace, and the same features as training hears."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from export.training.hearing import heard
from export.training.sound import levelled
from services.jobs.options import RenderOptions
from services.media import read_speech
from services.preprocess.speech import feature_pieces, speech_of
from services.render.families.default.speech import mouth_coefficients
from services.triton import TritonClient
from tests.quality.onnx_models import OnnxModels

ROOT = Path(__file__).parents[2]
FRAME = 320


@pytest.fixture(scope="module")
def models() -> OnnxModels:
    return OnnxModels()


@pytest.fixture(scope="module")
def sentence() -> NDArray[np.float32]:
    return read_speech(ROOT / "samples/announcement_en.wav", name="the sentence")


def features_of(samples: NDArray[np.float32], models: OnnxModels) -> NDArray[np.float32]:
    """(batch, 64, frames) of samples (batch, 320 frames)."""
    return cast(NDArray[np.float32], models.infer("speech_features", {"samples": samples}, ["features"])["features"])


@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (3, 7), (2, 600)])
def test_every_frame_has_features(models: OnnxModels, batch: int, frames: int) -> None:
    samples = np.random.default_rng(frames).normal(0, 0.1, (batch, frames * FRAME)).astype(np.float32)
    features = features_of(samples, models)
    assert features.shape == (batch, 64, frames)
    assert np.isfinite(features).all()


def test_recordings_of_one_batch_do_not_hear_each_other(models: OnnxModels, sentence: NDArray[np.float32]) -> None:
    pair = np.stack([sentence[: 200 * FRAME], sentence[200 * FRAME : 400 * FRAME]])
    alone = np.concatenate([features_of(row[None], models) for row in pair])
    np.testing.assert_allclose(features_of(pair, models), alone, atol=2e-3)


def test_a_mouth_does_not_depend_on_where_its_sound_stands(models: OnnxModels, sentence: NDArray[np.float32]) -> None:
    longer = np.tile(sentence, 2)
    later_by = 320
    whole, later = (
        mouth_coefficients(speech_of(sound, models), RenderOptions(), cast(TritonClient, models)).coefficients
        for sound in (longer, longer[later_by * 200 :])
    )
    # Other pieces, and other places in them; a second at the start has less to go by.
    shared = slice(80, len(longer) // 200 - later_by)
    apart = np.abs(whole[later_by:][shared] - later[shared])
    assert apart.mean() < 0.02
    assert np.corrcoef(whole[later_by:][shared, 0], later[shared, 0])[0, 1] > 0.99


def test_training_hears_what_the_services_hear(models: OnnxModels, sentence: NDArray[np.float32]) -> None:
    longer = np.tile(sentence, 2)
    served = np.concatenate(list(feature_pieces(longer, cast(TritonClient, models))), axis=1)
    trained = heard(levelled(longer), lambda piece: features_of(piece[None], models)[0])
    np.testing.assert_allclose(served, trained, atol=0.02)
