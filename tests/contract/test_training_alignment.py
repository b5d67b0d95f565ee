"""Placing known phones in a sound, and the notation of the voices that narrate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.training.alignment import align, sound_of
from export.training.kokoro_notation import mandarin, words_of
from export.training.sound import RATE, read

SAMPLES = Path(__file__).parents[2] / "samples"


def test_phones_are_found_where_they_sound() -> None:
    closures = json.loads((SAMPLES / "announcement_en.phones.json").read_text())["closures"]
    good_morning = read(SAMPLES / "announcement_en.wav")[: int(0.85 * RATE)]
    found = align(good_morning, [[sound_of(symbol) for symbol in word] for word in ("ɡʊd", "mɔɹnɪŋ")])
    assert found is not None
    spoken = [segment for segment in found if segment.symbol]
    assert [segment.symbol for segment in spoken] == list("ɡʊdmɔɹnɪŋ")
    assert spoken[3].start == pytest.approx(closures[0]["start"], abs=0.04)
    assert spoken[3].hold_end <= spoken[4].start


def test_sounds_too_short_for_their_words_are_refused() -> None:
    good = read(SAMPLES / "announcement_en.wav")[: int(0.2 * RATE)]
    assert align(good, [[sound_of(symbol) for symbol in "ɡʊdmɔɹnɪŋɡʊdmɔɹnɪŋ"]]) is None
    assert align(good, []) is None


def test_tokens_are_read_as_the_phones_that_they_stand_for() -> None:
    words = words_of("mˈAbi, ðə ʧˈɜɹʧ.")
    assert [[sound.arpabet for sound in word] for word in words] == [
        ["M", "EY", "B", "IY"], ["DH", "AH"], ["CH", "ER", "R", "CH"],
    ]  # fmt: skip
    assert "".join(sound.symbols for sound in words[0]) == "meɪbi"


def test_pinyin_becomes_tokens_with_tones() -> None:
    assert mandarin([["ming2", "tian1"], ["zhi1", "dao4"], ["wo3", "men5"]]) == "mi↗ŋtʰjɛ→n ꭧɨ→ta↘u wo↓mən."
