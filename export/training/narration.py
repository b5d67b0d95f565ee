"""What Kokoro says: sentences in seven languages, by its voices and by mixtures of two of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from export.training import kokoro
from export.training import kokoro_notation as notation
from export.training.alignment import align
from export.training.corpus import Spoken
from export.training.kokoro import Kokoro, Style, Utterance
from export.training.sentences import Sentences
from export.training.sound import RATE, resampled

UNSEEN: Final = ("af_kore", "am_eric", "bf_emma", "bm_lewis", "zf_xiaoni", "zm_yunxia")
"""Voices that no training hears: the evaluation speaks with them"""

LANGUAGES: Final = {
    "a": "en-us", "b": "en-gb-x-rp", "z": "", "e": "es", "f": "fr", "i": "it", "p": "pt-br",
}  # fmt: skip
_SHARES: Final = {"a": 0.38, "b": 0.20, "z": 0.24, "e": 0.05, "f": 0.04, "i": 0.05, "p": 0.04}
_WORDS: Final = {"e": "es_ES", "f": "fr_FR", "i": "it_IT", "p": "la"}
_MIXED: Final = 0.55
_UTTERANCES: Final = 60
_LETTERS: Final = re.compile(r"[A-Za-z][A-Za-z',; -]+[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Narration:
    """Utterances as they are kept: 16-bit sound at 16 kHz one after the other, with their tokens."""

    sound: NDArray[np.int16]
    ends: NDArray[np.int64]
    tokens: NDArray[np.str_]

    @property
    def minutes(self) -> float:
        """How much sound it holds."""
        return len(self.sound) / RATE / 60

    def save(self, path: Path) -> None:
        """As .npz."""
        np.savez(path, sound=self.sound, ends=self.ends, tokens=self.tokens)

    def spoken(self) -> Iterator[Spoken]:
        """Those whose phones could be placed."""
        for sound, tokens in zip(np.split(self.sound, self.ends[:-1]), self.tokens, strict=True):
            samples = np.asarray(sound / 32768, np.float32)
            segments = align(samples, notation.words_of(str(tokens)))
            if segments is not None:
                yield samples, RATE, segments


def load(path: Path) -> Narration:
    """What save wrote."""
    with np.load(path) as arrays:
        return Narration(arrays["sound"], arrays["ends"], arrays["tokens"])


def narrate(maker: Kokoro, wordnet: Path, seed: int) -> Narration:
    """Sentences in all languages; the same seed gives the same."""
    return _kept(_told(maker, wordnet, seed))


@cache
def examples(wordnet: Path) -> list[str]:
    """WordNet's example sentences of 5 to 14 plain words."""
    texts = "".join((wordnet / f"data.{part}").read_text() for part in ("noun", "verb", "adj", "adv"))
    quoted = (text.strip() for text in re.findall(r'"([^"\n]+)"', texts))
    return [text for text in quoted if _LETTERS.fullmatch(text) and 5 <= len(text.split()) <= 14]


def _kept(told: Iterable[Utterance]) -> Narration:
    made = list(told)
    sounds = [(resampled(one.samples, kokoro.RATE) * 32767).clip(-32767, 32767).astype(np.int16) for one in made]
    return Narration(
        np.concatenate(sounds),
        np.cumsum([len(sound) for sound in sounds]),
        np.array([one.tokens for one in made]),
    )


def _told(maker: Kokoro, wordnet: Path, seed: int) -> Iterator[Utterance]:
    chance, sentences = default_rng([seed, 7]), Sentences(seed)
    for _ in range(_UTTERANCES):
        accent = str(chance.choice(list(_SHARES), p=list(_SHARES.values())))
        style = _style(maker, accent, chance)
        tokens = _tokens(accent, sentences, examples(wordnet), chance)
        yield maker.speak(tokens, style, float(chance.uniform(0.85, 1.3)))


def _style(maker: Kokoro, accent: str, chance: Generator) -> Style:
    """A voice of the accent, or a mixture."""
    voices = [voice for voice in maker.voices if voice not in UNSEEN]
    style = maker.style(str(chance.choice([voice for voice in voices if voice[0] == accent])))
    if chance.random() < _MIXED:
        # English borrows from both accents: more timbres than the packages name.
        others = [voice for voice in voices if voice[0] in ("ab" if accent in "ab" else accent)]
        share = np.float32(chance.uniform(0.25, 0.75))
        style = share * style + (1 - share) * maker.style(str(chance.choice(others)))
    return style


def _tokens(accent: str, sentences: Sentences, texts: list[str], chance: Generator) -> str:
    if accent == "z":
        return notation.mandarin(sentences.pinyin())
    if accent in "ab":
        text = sentences.english() if chance.random() < 0.2 else texts[int(chance.integers(len(texts)))]
        return notation.english(text, LANGUAGES[accent])
    return notation.european(sentences.of(_WORDS[accent]), LANGUAGES[accent])
