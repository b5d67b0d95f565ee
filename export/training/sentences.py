"""Random sentences in many languages: word lists of faker and pocketsphinx, pinyin syllables for Mandarin."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

import pocketsphinx
from pypinyin import Style, lazy_pinyin

_LATIN_VOICES: Final = ("la", "pt", "pt-br", "ro", "tr", "sv", "hu", "fi", "hr", "id", "sw", "nb", "sk", "ca")
_LANGUAGES: Final[tuple[tuple[str, tuple[str, ...], float], ...]] = (
    ("en_US", ("en-us", "en-gb-scotland", "en-029", "en-gb-x-gbclan", "en-us-nyc"), 8),
    ("zh_CN", ("cmn-latn-pinyin",), 4),
    ("de_DE", ("de",), 2),
    ("fr_FR", ("fr", "fr-be"), 2),
    ("es_ES", ("es", "es-419"), 2),
    ("it_IT", ("it",), 1.5),
    ("ru_RU", ("ru",), 1.5),
    ("pl_PL", ("pl",), 1),
    ("nl_NL", ("nl",), 1),
    ("cs_CZ", ("cs",), 1),
    ("da_DK", ("da",), 0.5),
    ("el_GR", ("el",), 1),
    ("vi_VN", ("vi",), 0.7),
    ("uk_UA", ("uk",), 0.7),
    ("ar_AA", ("ar",), 0.7),
    ("fa_IR", ("fa",), 0.7),
    ("bn_BD", ("bn",), 0.5),
    ("la", _LATIN_VOICES, 3),
)
_INITIALS: Final = ("b", "p", "m", "f")
_FINALS: Final = ("a", "o", "u", "ei", "an", "en", "ang")
_LABIAL_PINYIN: Final = (
    *(initial + final for initial in _INITIALS for final in _FINALS),
    *("bi", "pi", "mi", "ming", "bao", "pao", "wo", "wu", "wei", "wan", "yu", "nv", "shi", "zhi", "xue", "quan", "guo"),
    *("duo", "shuo", "lai", "hao", "gou", "tou", "ren", "chuang"),
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said, and by which of espeak-ng's voices."""

    text: str
    voice: str


class Sentences:
    """An endless source; the same seed gives the same sentences."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 -- no secret
        self._words = {name: _words(name) for name, _, _ in _LANGUAGES}
        self._dictionary = _dictionary()

    def any_language(self) -> Sentence:
        """A sentence and a voice of its language."""
        (language, voices, _) = self._chance.choices(_LANGUAGES, [weight for _, _, weight in _LANGUAGES])[0]
        voice = self._chance.choice(voices)
        if language == "zh_CN":
            return Sentence(self._mandarin(), voice)
        if language == "en_US":
            return Sentence(self.english(), voice)
        return Sentence(self._joined(self._words[language]), voice)

    def english(self) -> str:
        """Common words, or any words of pocketsphinx's dictionary."""
        return self._joined(self._words["en_US"] if self._chance.random() < 0.5 else self._dictionary)

    def of(self, language: str) -> str:
        """In one of faker's languages."""
        return self._joined(self._words[language])

    def pinyin(self) -> list[list[str]]:
        """Words of numbered Mandarin syllables."""
        words = self._chance.choices(self._words["zh_CN"], k=self._chance.randint(4, 10))
        spelled = [lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True) for word in words]
        if self._chance.random() < 0.5:
            spelled += [[f"{self._chance.choice(_LABIAL_PINYIN)}{self._chance.randint(1, 4)}"] for _ in range(4)]
        return spelled

    def _joined(self, words: Sequence[str]) -> str:
        chosen = self._chance.choices(words, k=self._chance.randint(4, 12))
        return " ".join(word + ("," if self._chance.random() < 0.12 else "") for word in chosen)

    def _mandarin(self) -> str:
        # The Debian build of espeak-ng reads Chinese characters as English letters, pinyin it knows.
        chosen = self._chance.choices(self._words["zh_CN"], k=self._chance.randint(4, 10))
        syllables = [syllable for word in chosen for syllable in lazy_pinyin(word, style=Style.TONE3)]
        if self._chance.random() < 0.5:
            syllables += [f"{self._chance.choice(_LABIAL_PINYIN)}{self._chance.randint(1, 4)}" for _ in range(6)]
        return " ".join(syllables)


def _words(language: str) -> list[str]:
    return [str(word) for word in import_module(f"faker.providers.lorem.{language}").Provider.word_list]


def _dictionary() -> list[str]:
    lines = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines()
    words = (line.split(" ", 1)[0] for line in lines)
    return [word for word in words if word.isalpha() and len(word) > 2]
