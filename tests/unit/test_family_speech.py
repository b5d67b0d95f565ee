"""Mouth coefficients: gate, closures, sampling at any rate, pieces of long recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from services.jobs.options import RenderOptions
from services.preprocess.faces import MEL_RATE, Speech
from services.render.families.default.speech import (
    CLOSE,
    COEFFICIENTS,
    FV,
    JAW,
    ROUND,
    MouthTrack,
    mouth_coefficients,
    opened,
    reach_of,
    sample_coefficients,
)
from services.render.families.silence import sample_presence
from services.triton import TritonClient

RATES = [Fraction(25), Fraction(60), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(10)]


def unrounded(coefficients: NDArray[np.generic], lips_round: float = 0) -> NDArray[np.float32]:
    """Lips that are not round leave the opening alone."""
    flat = coefficients.astype(np.float32)
    flat[:, ROUND] = lips_round
    return flat


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
        return {"coefficients": unrounded(np.repeat(seen[None, None], len(COEFFICIENTS), axis=1))}


class PassingNet:
    """In Triton's place: every coefficient is the first mel band."""

    def infer(
        self, _model: str, inputs: Mapping[str, NDArray[np.generic]], _outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        return {"coefficients": unrounded(np.repeat(inputs["mel"][:, :1], len(COEFFICIENTS), axis=1))}


class ConstantNet:
    """In Triton's place: every coefficient is always what it is told."""

    def __init__(self, value: float, lips_round: float = 0) -> None:
        self._value = value
        self._round = lips_round

    def infer(
        self, _model: str, inputs: Mapping[str, NDArray[np.generic]], _outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        shape = (1, len(COEFFICIENTS), inputs["mel"].shape[2])
        return {"coefficients": unrounded(np.full(shape, self._value), self._round)}


def speech_of(columns: int) -> Speech:
    """Half a second of silence, then a voice to the end; the mel is the column's time."""
    mel = np.tile(np.linspace(0, 1, columns, dtype=np.float32), (80, 1))
    voice = np.ones(columns, np.float32)
    voice[:40] = 0
    return Speech(mel, np.full(columns, -20, np.float32), voice, np.zeros((64, columns), np.float16))


def track_of(speech: Speech, net: LocalNet | ConstantNet | PassingNet, **options: Any) -> MouthTrack:
    return mouth_coefficients(speech, RenderOptions(**options), cast(TritonClient, net))


def test_long_recordings_are_heard_in_pieces_as_in_one_go() -> None:
    net = LocalNet()
    speech = speech_of(10_000)
    coefficients = track_of(speech, net).coefficients
    whole = np.convolve(np.pad(speech.mel[0], 36), np.full(73, 1 / 73), "valid")
    assert len(net.columns) == 3
    assert max(net.columns) < 4200
    np.testing.assert_allclose(coefficients[60:9_990, 0], whole[60:9_990], atol=1e-5)


def test_a_recording_that_ends_in_a_sound_comes_to_rest_softly() -> None:
    jaw = track_of(speech_of(800), LocalNet()).coefficients[790:, 0]
    assert jaw[0] > 0.4
    assert jaw[40:].max() == 0
    assert np.abs(np.diff(jaw)).max() < 0.15


def test_in_a_pause_the_mouth_rests_shut_and_still_whatever_the_net_says() -> None:
    speech = speech_of(800)
    speech.voice[300:500] = 0.1
    coefficients = track_of(speech, ConstantNet(0.6)).coefficients
    assert coefficients[325:420].max() == 0
    assert coefficients[40:290, 0].min() == coefficients[500:790, 0].min() == pytest.approx(0.6)


def test_brief_flickers_of_the_voice_do_not_move_the_mouth() -> None:
    speech = speech_of(800)
    speech.voice[:] = 0
    speech.voice[100:108] = 0.9
    speech.voice[300:500] = 0.5
    assert track_of(speech, ConstantNet(0.6)).coefficients.max() == 0


def test_lips_move_before_the_voice_is_heard() -> None:
    coefficients = track_of(speech_of(400), ConstantNet(0.6)).coefficients
    assert coefficients[34, CLOSE] > 0.8
    assert coefficients[28, 0] > 0.25


def test_the_mouth_opens_for_a_breath_before_it_speaks_and_not_after_it() -> None:
    speech = speech_of(800)
    speech.voice[300:500] = 0.1
    coefficients = track_of(speech, ConstantNet(0.1)).coefficients
    assert coefficients[460:490, JAW].min() > 0.15
    assert coefficients[460:490, CLOSE].max() == coefficients[325:420].max() == 0
    assert np.abs(np.diff(coefficients[310:, JAW])).max() < 0.02
    assert track_of(speech, ConstantNet(0.1), silence="source").coefficients[420:460].max() < 0.01


def test_rounded_lips_leave_little_between_them() -> None:
    spread, rounded = (track_of(speech_of(400), ConstantNet(0.5, by)).coefficients[200] for by in (0.0, 1.0))
    parting = [COEFFICIENTS.index(name) for name in ("jaw", "upper", "lower")]
    assert (rounded[parting] < 0.55 * spread[parting]).all()
    others = [COEFFICIENTS.index(name) for name in ("close", "wide", "fv", "tongue")]
    assert rounded[others].tolist() == spread[others].tolist()


def test_people_open_as_far_as_their_footage_shows() -> None:
    assert reach_of(0) == 1.3
    assert reach_of(0.04) < reach_of(0.14) < reach_of(0.2) < 3
    half = np.full((1, len(COEFFICIENTS)), 0.5, np.float32)
    wide, wider = opened(half, 1.3), opened(half, 2)
    assert 0.5 < wide[0, JAW] < wider[0, JAW] == 0.75
    assert wider[0, CLOSE] == wider[0, ROUND] == 0.5
    assert opened(np.ones_like(half), 2).max() == 1


def test_the_mouth_shows_always_unless_the_footages_own_is_asked_for() -> None:
    speech = speech_of(1600)
    speech.voice[400:420] = 0
    speech.voice[600:800] = 0
    always = track_of(speech, ConstantNet(0.6))
    assert always.presence.min() == 1
    track = track_of(speech, ConstantNet(0.6), silence="source")
    assert len(track.presence) == len(track.coefficients)
    assert track.presence[640:760].max() < 0.01
    assert track.presence[40:600].min() > 0.99
    assert track.presence[-1] == 0
    assert np.abs(np.diff(track.presence)).max() < 0.1
    assert track.presence[track.coefficients[:, 0] > 0.02].min() > 0.5


@pytest.mark.parametrize("expression", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("value", [0.05, 0.4, 1.0])
def test_expression_moves_the_mouth_farther_and_never_too_far(expression: float, value: float) -> None:
    plain = track_of(speech_of(400), ConstantNet(value)).coefficients[200]
    gained = track_of(speech_of(400), ConstantNet(value), expression=expression).coefficients[200]
    brief = [CLOSE, FV]
    np.testing.assert_array_equal(gained[brief], plain[brief])
    lasting = np.delete(gained / np.maximum(plain, 1e-6), [*brief, ROUND])
    assert gained.max() <= 1
    if value == 0.4:
        assert lasting == pytest.approx(np.full(5, {0.5: 0.5, 1.0: 1, 1.5: 1.34}[expression]), abs=0.01)
    if value == 0.05:
        assert lasting == pytest.approx(np.full(5, expression), rel=0.03)


def test_smoothing_takes_jitter_out_and_keeps_closures() -> None:
    jitter = np.tile([0.4, 0.6], 400).astype(np.float32)
    features = np.zeros((64, 800), np.float16)
    speech = Speech(np.tile(jitter, (80, 1)), np.zeros(800, np.float32), np.ones(800, np.float32), features)
    rough, calm = (track_of(speech, PassingNet(), smoothing=amount).coefficients[100:700] for amount in (0.0, 1.0))
    assert np.abs(np.diff(rough[:, 0])).mean() > 0.19
    assert np.abs(np.diff(calm[:, 0])).mean() < 0.002
    assert calm[:, 0].mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_array_equal(calm[:, [CLOSE, FV]], rough[:, [CLOSE, FV]])


@pytest.mark.parametrize("columns", [1, 7, 16])
def test_the_shortest_recordings_have_coefficients(columns: int) -> None:
    coefficients = track_of(speech_of(columns), LocalNet()).coefficients
    assert coefficients.shape[1] == len(COEFFICIENTS)
    assert np.isfinite(coefficients).all()


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
    coefficients = track_of(speech_of(80), LocalNet()).coefficients
    assert sample_coefficients(coefficients, np.array([24]), Fraction(25)).max() > 0.1
    assert sample_coefficients(coefficients, np.array([35, 36, 1000]), Fraction(25)).max() == 0


def test_presence_is_taken_in_the_middle_of_each_frame() -> None:
    presence = np.linspace(0, 1, 81, dtype=np.float32)
    sampled = sample_presence(presence, np.array([0, 10, 99]), Fraction(25))
    np.testing.assert_allclose(sampled, [0.02, 0.42, 1], atol=1e-5)


def test_frames_are_sampled_alike_in_any_order() -> None:
    columns = np.random.default_rng(1).random((200, len(COEFFICIENTS)), np.float32)
    together = sample_coefficients(columns, np.arange(50), Fraction(25))
    apart = sample_coefficients(columns, np.array([7, 3]), Fraction(25))
    np.testing.assert_array_equal(apart, together[[7, 3]])
