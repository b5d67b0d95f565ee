"""Phones, their targets and the measures: what the training of speech_to_mouth stands on."""

from __future__ import annotations

import numpy as np
import pytest

from export.training.flite import segments_of
from export.training.measures import Hits, correlation, hits, lag, opening
from export.training.phones import BILABIALS, CLASSES, SILENCE, Segment, of_arpabet, of_ipa, spread
from export.training.targets import RATE, classes, coefficients

CLOSE, FV, JAW = 1, 6, 0


def _said(*phones: tuple[str, float]) -> list[Segment]:
    segments: list[Segment] = []
    start = 0.0
    for symbol, seconds in phones:
        segments += spread([symbol] if symbol else [], start, start + seconds)
        start += seconds
    return segments


def test_symbols_of_every_source_meet() -> None:
    assert of_ipa("ˈmʌðɚ") == ["m", "ʌ", "θ", "ɜ"]
    assert of_ipa("mˈäinit^ɕi") == ["m", "a", "i", "n", "i", "t", "ʃ", "i"]
    assert of_arpabet("AY1") == ["a", "ɪ"]
    assert of_arpabet("pau") == []
    assert set(of_ipa("βo")) == {"β", "o"}
    assert not set("βw") & BILABIALS


def test_flite_times_become_segments() -> None:
    segments = segments_of("pau:0.100 m:0.200 ay:0.400 pau:0.500")
    assert [segment.symbol for segment in segments] == [SILENCE, "m", "a", "ɪ", SILENCE]
    assert segments[1].hold == (0.1, 0.2)
    assert segments[-1].end == 0.5


def test_lips_shut_for_a_stop_and_the_jaw_opens_for_the_vowel() -> None:
    said = _said(("", 0.2), ("b", 0.1), ("a", 0.3), ("f", 0.1), ("i", 0.2), ("", 0.3))
    track = coefficients(said, 97)
    middle = {name: int(at * RATE) for name, at in {"b": 0.23, "a": 0.45, "f": 0.65, "rest": 1.19}.items()}
    assert track.shape == (97, 8)
    assert track.min() >= 0
    assert track.max() <= 1
    assert track[middle["b"], CLOSE] > 0.99
    assert track[middle["a"], CLOSE] < 0.01
    assert track[middle["a"], JAW] > 0.6
    assert track[middle["f"], FV] > 0.99
    assert opening(track)[middle["b"]] < 0.002
    assert opening(track)[middle["a"]] > 0.1
    assert track[middle["rest"], JAW] < 0.05
    assert [CLASSES[label] for label in classes(said, 97)[[0, 20, 30]]] == [SILENCE, "b", "a"]


def test_loud_vowels_open_wider() -> None:
    said = _said(("a", 0.2), ("s", 0.1), ("a", 0.2), ("s", 0.1), ("a", 0.2))
    level = np.full(65, -30, np.float32)
    level[48:] = -24
    track = coefficients(said, 65, level)
    assert track[56, JAW] > track[8, JAW] * 1.05


def test_measures_count_events_not_columns() -> None:
    track = np.zeros(160, np.float32)
    track[[20, 21, 22, 100]] = 1
    assert hits(track, [(0.25, 0.30), (0.8, 0.85)]) == Hits(made=1, wanted=2, right=1, predicted=2)
    pooled = hits(track, [(0.25, 0.30)]) + Hits(made=1, wanted=1, right=1, predicted=1)
    assert pooled.recall == 1
    assert pooled.precision == pytest.approx(2 / 3)
    wave = np.sin(np.arange(400) / 9).astype(np.float32)
    assert lag(np.roll(wave, 3), wave) == 3
    assert correlation(wave, -wave) == pytest.approx(-1)
    assert np.isnan(correlation(np.zeros(9, np.float32), wave[:9]))
