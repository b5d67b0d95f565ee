"""Forced alignment: where each phone of a known sequence lies in a sound, by pocketsphinx's model of real people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pocketsphinx

from export.training.phones import Segment, spread
from export.training.sound import RATE, Samples

FRAME: Final = 0.01
"""Seconds of a pocketsphinx frame"""


@dataclass(frozen=True, slots=True)
class Sound:
    """One phone of pocketsphinx's and what it is to us: one symbol, or two of a diphthong or an affricate."""

    arpabet: str
    symbols: str


_NEAREST: Final = {
    "i": "IY", "ɪ": "IH", "ɨ": "IH", "e": "EY", "ɛ": "EH", "æ": "AE", "a": "AA", "ɑ": "AA", "ɐ": "AH", "ʌ": "AH",
    "ɒ": "AA", "ɔ": "AO", "o": "OW", "u": "UW", "ʊ": "UH", "ʉ": "UW", "y": "IY", "ʏ": "IH", "ø": "ER", "œ": "EH",
    "ɶ": "AE", "ə": "AH", "ɜ": "ER", "ɯ": "UH", "p": "P", "b": "B", "m": "M", "f": "F", "v": "V", "θ": "TH", "t": "T",
    "d": "D", "n": "N", "s": "S", "z": "Z", "ʃ": "SH", "k": "K", "ɡ": "G", "ŋ": "NG", "h": "HH", "ɹ": "R", "r": "D",
    "l": "L", "β": "V", "w": "W", "j": "Y",
}  # fmt: skip


def sound_of(symbol: str) -> Sound:
    """The English phone that is most like one of phones.SHAPES."""
    return Sound(_NEAREST[symbol], symbol)


def align(samples: Samples, words: Sequence[Sequence[Sound]]) -> list[Segment] | None:
    """Pauses are possible between words; None where the sound is too short for the words or does not fit at all."""
    decoder = _decoder()
    sounds = [sound for word in words for sound in word]
    if not sounds:
        return None
    try:
        decoder.set_align_text(" ".join(_taught(decoder, [sound.arpabet for sound in word]) for word in words))
        feed(decoder, samples)
        decoder.set_alignment()
        feed(decoder, samples)
        found = decoder.get_alignment()
    except RuntimeError:
        return None
    if found is None:
        return None
    heard = [phone for word in found for phone in word]
    if [phone.name for phone in heard if phone.name != "SIL"] != [sound.arpabet for sound in sounds]:
        return None
    names = iter(sounds)
    segments: list[Segment] = []
    for phone in heard:
        symbols = [] if phone.name == "SIL" else list(next(names).symbols)
        segments += spread(symbols, phone.start * FRAME, (phone.start + phone.duration) * FRAME)
    return segments


def feed(decoder: pocketsphinx.Decoder, samples: Samples) -> None:
    """One whole utterance."""
    loud = samples / (float(np.abs(samples).max()) + 1e-9) * 0.8
    decoder.start_utt()
    decoder.process_raw((loud * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()


@cache
def _decoder() -> pocketsphinx.Decoder:
    return pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL", bestpath=False, lm=None)


def _taught(decoder: pocketsphinx.Decoder, phones: list[str]) -> str:
    """A word of the decoder's that is said like that."""
    word = "_".join(phones)
    if decoder.lookup_word(word) is None:
        decoder.add_word(word, " ".join(phones), False)
    return word
