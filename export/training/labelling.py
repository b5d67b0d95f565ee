"""Natural recordings become training items: their known phones are placed by the net of the stage before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from export.training import espeak
from export.training.alignment import Alignment, align
from export.training.corpus import Shard, Spoken
from export.training.natural import Recording
from export.training.network import TrainedNet
from export.training.phones import CLASSES
from export.training.sound import RATE, Samples, Unreadable, levelled, mel, read

_LONGEST: Final = 12.0
_SHORTEST: Final = 0.2
"""Seconds of a recording that is taken"""
_DROPPED: Final = 0.15
"""Share of each language's recordings that is left out: those whose sound speaks least for their words"""
_PRIOR_WEIGHT: Final = 0.4
"""Dividing by the whole prior lets a rare phone, of which the net knows little, swallow its neighbours"""
_RAREST: Final = -6.0
_KINSHIP: Final = 0.3
"""What a phone's kin count: voices differ, and espeak-ng's idea of a word is not the speaker's"""
_KIN: Final = "pb fv βbvw td nŋ sz kɡ ɹrl iɪɨyʏ eɛøœiɪ aɑɐæʌɛə oɔɒʊu uʊʉɯ əɜɐɪɛʌ"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A recording with its words placed."""

    voice: str
    samples: Samples
    alignment: Alignment


def labelled(recordings: Iterable[Recording], net: TrainedNet, priors: NDArray[np.float32]) -> Iterator[Labelled]:
    """Those that can be read, pronounced and aligned."""
    for recording in recordings:
        try:
            samples = levelled(read(recording.path))
        except Unreadable:
            continue
        words = espeak.phones_of(recording.text, recording.voice)
        if not words or not _SHORTEST * RATE <= len(samples) <= _LONGEST * RATE:
            continue
        alignment = align(phone_scores(net, mel(samples), priors), words)
        if alignment is not None:
            yield Labelled(recording.voice, samples, alignment)


def credible(items: Iterable[Labelled]) -> list[Spoken]:
    """All but the worst of each language."""
    items = list(items)
    kept: list[Spoken] = []
    for voice in sorted({item.voice for item in items}):
        own = [item for item in items if item.voice == voice]
        least = float(np.quantile([item.alignment.credit for item in own], _DROPPED))
        kept += [(item.samples, RATE, item.alignment.segments) for item in own if item.alignment.credit >= least]
    return kept


def class_priors(shard: Shard) -> NDArray[np.float32]:
    """(classes,) share of each phone in the columns."""
    counts = np.bincount(shard.classes, minlength=len(CLASSES)) + 1
    return np.asarray(counts / counts.sum(), np.float32)


def phone_scores(net: TrainedNet, columns: NDArray[np.float32], priors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(columns, classes): log posteriors of mel (80, columns), kin counted in, less part of their log priors."""
    with torch.no_grad():
        _, logits = net(torch.from_numpy(columns[None]))
    kinship = _kinship()
    posteriors = np.asarray(torch.softmax(logits[0].float(), dim=0).numpy().T @ kinship, np.float32)
    usual = np.maximum(np.log(priors @ kinship), _RAREST)
    return np.asarray(np.log(posteriors + 1e-6) - _PRIOR_WEIGHT * usual, np.float32)


def _kinship() -> NDArray[np.float32]:
    """(classes, classes) how much each column's phone gets of each row's."""
    shares = np.eye(len(CLASSES), dtype=np.float32)
    for kin in _KIN.split():
        members = [CLASSES.index(symbol) for symbol in kin]
        for one in members:
            for other in members:
                shares[one, other] = max(shares[one, other], _KINSHIP)
    return shares
