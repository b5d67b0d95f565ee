"""Phones: what each one asks of the mouth, and how the symbols of espeak-ng, flite and pocketsphinx map onto them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SILENCE: Final = ""
"""The symbol of a pause"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a phone asks for, each 0..1, and how strongly it insists against its neighbours."""

    jaw: float
    wide: float
    round: float
    upper: float
    lower: float
    tongue: float
    insistence: tuple[float, float, float, float, float, float]
    reach: tuple[float, float]
    """Seconds in which its pull falls to 1/e before it starts and after it ends"""


@dataclass(frozen=True, slots=True)
class Segment:
    """A phone and when it sounds, seconds; a closure (or the teeth on the lip) surely lasts from start to hold_end."""

    symbol: str
    start: float
    end: float
    hold_end: float

    @property
    def hold(self) -> tuple[float, float]:
        """Seconds."""
        return self.start, self.hold_end


def _vowel(jaw: float, wide: float, rounding: float, tongue: float = 0.0) -> Shape:
    """A vowel's lips follow from its jaw, its spread and its rounding."""
    upper = 0.12 + 0.25 * wide * (1 - jaw) + 0.10 * jaw
    lower = 0.15 + 0.25 * wide * (1 - jaw)
    pull = 0.7
    if rounding > 0.3:
        upper, lower, pull = upper * 0.5, lower * 0.6, 1.0
    return Shape(jaw, wide, rounding, upper, lower, tongue, (1, 0.8, pull, 0.6, 0.6, 0.5), (0.055, 0.055))


_VOWELS: Final[dict[str, Shape]] = {
    "i": _vowel(0.22, 0.85, 0, 0.15),
    "ɪ": _vowel(0.30, 0.55, 0, 0.15),
    "ɨ": _vowel(0.28, 0.40, 0, 0.15),
    "e": _vowel(0.42, 0.65, 0, 0.15),
    "ɛ": _vowel(0.58, 0.50, 0, 0.15),
    "æ": _vowel(0.80, 0.55, 0),
    "a": _vowel(0.90, 0.25, 0),
    "ɑ": _vowel(0.95, 0.05, 0),
    "ɐ": _vowel(0.60, 0.15, 0),
    "ʌ": _vowel(0.65, 0.10, 0),
    "ɒ": _vowel(0.75, 0, 0.40),
    "ɔ": _vowel(0.62, 0, 0.55),
    "o": _vowel(0.45, 0, 0.80),
    "u": _vowel(0.22, 0, 1.0),
    "ʊ": _vowel(0.30, 0, 0.70),
    "ʉ": _vowel(0.22, 0, 0.85),
    "y": _vowel(0.22, 0, 0.85),
    "ʏ": _vowel(0.28, 0, 0.70),
    "ø": _vowel(0.38, 0, 0.70),
    "œ": _vowel(0.52, 0, 0.50),
    "ɶ": _vowel(0.70, 0, 0.30),
    "ə": _vowel(0.36, 0.12, 0),
    "ɜ": _vowel(0.42, 0.05, 0.20),
    "ɯ": _vowel(0.32, 0.30, 0),
}

_LABIAL: Final = (0.030, 0.030)
_OTHER: Final = (0.045, 0.040)
_BILABIAL: Final = Shape(0.10, 0.10, 0, 0, 0, 0, (2.5, 0.10, 0.10, 1, 1, 1), _LABIAL)
_LABIODENTAL: Final = Shape(0.16, 0.15, 0, 0.15, 0, 0, (2.2, 0.2, 0.2, 1, 1, 1), _LABIAL)
_ALVEOLAR: Final = Shape(0.20, 0.25, 0, 0.05, 0.15, 0.6, (0.9, 0.25, 0.15, 0.4, 0.4, 1), _OTHER)
_SIBILANT: Final = Shape(0.12, 0.40, 0, 0.20, 0.45, 0.1, (2.0, 0.7, 0.35, 1, 1, 1), _OTHER)
_BACK: Final = Shape(0.28, 0.15, 0, 0, 0.05, 0, (0.25, 0.08, 0.08, 0.2, 0.2, 0.5), _OTHER)

_CONSONANTS: Final[dict[str, Shape]] = {
    "p": _BILABIAL,
    "b": _BILABIAL,
    "m": _BILABIAL,
    "f": _LABIODENTAL,
    "v": _LABIODENTAL,
    "θ": Shape(0.24, 0.20, 0, 0.05, 0.15, 1, (1.2, 0.3, 0.3, 0.6, 0.6, 1), _OTHER),
    "t": _ALVEOLAR,
    "d": _ALVEOLAR,
    "n": _ALVEOLAR,
    "s": _SIBILANT,
    "z": _SIBILANT,
    "ʃ": Shape(0.16, 0, 0.55, 0.35, 0.45, 0, (2.0, 0.8, 1.0, 1, 1, 1), _OTHER),
    "k": _BACK,
    "ɡ": _BACK,
    "ŋ": _BACK,
    "h": _BACK,
    "ɹ": Shape(0.24, 0, 0.45, 0.10, 0.15, 0.1, (0.8, 0.5, 0.7, 0.5, 0.5, 1), _OTHER),
    "r": Shape(0.24, 0.15, 0.10, 0.05, 0.15, 0.5, (0.6, 0.3, 0.2, 0.4, 0.4, 1), _OTHER),
    "l": Shape(0.32, 0.20, 0, 0.05, 0.10, 0.9, (0.7, 0.25, 0.2, 0.4, 0.4, 1), _OTHER),
    "β": Shape(0.14, 0.10, 0.10, 0, 0.05, 0, (1.3, 0.3, 0.3, 0.6, 0.6, 1), _OTHER),
    "w": Shape(0.16, 0, 1.0, 0, 0, 0, (1.3, 1.0, 2.0, 0.6, 0.6, 1), _OTHER),
    "j": Shape(0.22, 0.60, 0, 0.05, 0.10, 0.1, (0.7, 0.5, 0.4, 0.4, 0.4, 0.5), _OTHER),
}

SHAPES: Final[dict[str, Shape]] = {
    SILENCE: Shape(0, 0, 0, 0, 0, 0, (0.9, 0.6, 0.6, 0.6, 0.6, 1), (0.050, 0.050)),
    **_VOWELS,
    **_CONSONANTS,
}
VOWELS: Final = frozenset(_VOWELS)
BILABIALS: Final = frozenset("pbm")
LABIODENTALS: Final = frozenset("fv")
CLASSES: Final = tuple(SHAPES)
"""What the auxiliary head of the training net tells apart"""

_SAME: Final = {
    "p": "", "b": "ɓʙ", "m": "", "f": "", "v": "ʋⱱɱ", "θ": "ð", "t": "ʈ", "d": "ɖɗ", "n": "ɳɲ", "s": "ɬ", "z": "ɮ",
    "ʃ": "ʒɕʑʂʐ", "k": "qcʔ", "ɡ": "ɢɟʝɠg", "ŋ": "ɴ", "h": "xɣχʁħɦʕç", "ɹ": "ɻʀ", "r": "ɾɽ", "l": "ɫɭʎʟ",
    "w": "ʍɥ", "β": "ɸ", "a": "ä", "ɛ": "E", "ə": "əɘɵᵻ", "ɜ": "ɝɚɞ", "ɯ": "ɤ",
}  # fmt: skip
_IPA: Final = {symbol: symbol for symbol in SHAPES if symbol} | {
    other: symbol for symbol, others in _SAME.items() for other in others
}

_ARPABET: Final = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "ay": "aɪ", "b": "b", "ch": "tʃ", "d": "d",
    "dh": "θ", "dx": "r", "eh": "ɛ", "er": "ɜ", "ey": "eɪ", "f": "f", "g": "ɡ", "hh": "h", "hv": "h", "ih": "ɪ",
    "iy": "i", "jh": "dʃ", "k": "k", "l": "l", "m": "m", "n": "n", "ng": "ŋ", "ow": "oʊ", "oy": "ɔɪ", "p": "p",
    "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t", "th": "θ", "uh": "ʊ", "uw": "u", "v": "v", "w": "w", "y": "j", "z": "z",
    "zh": "ʃ",
}  # fmt: skip


def of_ipa(text: str) -> list[str]:
    """The phones in an IPA string such as espeak-ng's; marks and what is unknown are left out."""
    return [_IPA[letter] for letter in text if letter in _IPA]


def of_arpabet(name: str) -> list[str]:
    """The phones of one ARPAbet name of flite or pocketsphinx, stress digits allowed; [] is a pause."""
    return list(_ARPABET.get(name.lower().rstrip("012"), ""))


def spread(symbols: list[str], start: float, end: float, hold: float | None = None) -> list[Segment]:
    """`symbols` sharing start..end seconds, vowels a little longer than consonants; no symbol at all is a pause.

    `hold` is how many seconds a closure stays shut; by default a stop's first 60 % and all of anything else.
    """
    if not symbols:
        return [Segment(SILENCE, start, end, end)]
    weights = [1.0 if symbol in VOWELS else 0.7 for symbol in symbols]
    if len(symbols) > 1 and symbols[0] in VOWELS and symbols[1] in VOWELS:
        weights[0] = 1.2
    share = (end - start) / sum(weights)
    segments = []
    for symbol, weight in zip(symbols, weights, strict=True):
        stop = start + weight * share
        lasting = hold or (0.6 if symbol in "pb" else 1.0) * (stop - start)
        segments.append(Segment(symbol, start, stop, min(stop, start + lasting)))
        start = stop
    return segments
