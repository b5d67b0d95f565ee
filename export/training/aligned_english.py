"""Natural English with phone times by pocketsphinx, whose model is trained on real people; for evaluation only."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import pocketsphinx

from export.training.alignment import FRAME, feed
from export.training.phones import Segment, of_arpabet, spread
from export.training.sound import RATE, Samples

_SPOKEN_SHARE: Final = 0.35
"""A prompt whose phones take less of it, or of which a phone lasts absurdly long, is badly aligned"""
_LONGEST_PHONE: Final = 0.45


def decoded(samples: Samples) -> str:
    """What pocketsphinx hears."""
    decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL", bestpath=True)
    feed(decoder, samples)
    hypothesis = decoder.hyp()
    return str(hypothesis.hypstr) if hypothesis else ""


def aligned(samples: Samples, text: str) -> list[Segment] | None:
    """The phones of `text` as they lie in the sound; None where a word is unknown or the alignment is not credible."""
    words = re.sub(r"[^a-z' ]", " ", text.lower()).split()
    if not words or not _known().issuperset(words):
        return None
    decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL", bestpath=False)
    decoder.set_align_text(" ".join(words))
    feed(decoder, samples)
    try:
        decoder.set_alignment()
        feed(decoder, samples)
        alignment = decoder.get_alignment()
    except RuntimeError:
        return None
    if alignment is None:
        return None
    segments: list[Segment] = []
    for word in alignment:
        for phone in word:
            start = phone.start * FRAME
            segments += spread(of_arpabet(phone.name), start, start + phone.duration * FRAME)
    return segments if _credible(segments, len(samples) / RATE) else None


def _credible(segments: list[Segment], seconds: float) -> bool:
    spoken = [segment.end - segment.start for segment in segments if segment.symbol]
    return bool(spoken) and sum(spoken) >= _SPOKEN_SHARE * seconds and max(spoken) <= _LONGEST_PHONE


@cache
def _known() -> frozenset[str]:
    lines = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines()
    return frozenset(line.split(" ", 1)[0] for line in lines)
