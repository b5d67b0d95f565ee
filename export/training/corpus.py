"""The training corpus: what the net hears and its targets, made item by item, kept as one array a shard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from export.training import augmentation, espeak, flite
from export.training.hearing import Encode, heard
from export.training.phones import SILENCE, Segment
from export.training.sentences import Sentences
from export.training.sound import HOP, RATE, Samples, columns_of, level_db, levelled, mel, resampled
from export.training.targets import classes, coefficients

Spoken = tuple[Samples, int, list[Segment]]
"""Samples, their rate, phones"""

_VARIANTS: Final = tuple(
    variant
    for variant in (
        *("", "", ""),
        *(f"f{number}" for number in range(1, 6)),
        *(f"m{number}" for number in range(1, 9)),
        *("klatt", "klatt2", "klatt3", "klatt4", "anika", "steph", "Andrea", "Annie", "Michael", "Mario", "Alex"),
        *("adam", "edward", "Jacky", "Zac", "shelby", "travis", "victor", "norbert", "sandro", "grandpa", "belinda"),
        *("linda", "caleb", "david", "ed", "Gene", "Lee", "John", "Hugo", "Henrique", "Denis", "Diogo", "Nguyen"),
    )
    if variant not in espeak.UNSEEN_VARIANTS
)


@dataclass(frozen=True, slots=True)
class Shard:
    """Items one after the other; windows for training may start anywhere."""

    mels: NDArray[np.float16]
    """(80, columns); the columns of a shard come in eights"""
    frames: NDArray[np.float16]
    """(512, 5/8 columns): Whisper's, 50 a second"""
    coefficients: NDArray[np.float16]
    """(8, columns)"""
    classes: NDArray[np.int8]
    """(columns,) index into phones.CLASSES"""

    @property
    def minutes(self) -> float:
        """How much sound it holds."""
        return len(self.classes) / 4800

    def save(self, path: Path) -> None:
        """As .npz."""
        np.savez(path, mels=self.mels, frames=self.frames, coefficients=self.coefficients, classes=self.classes)


@dataclass(frozen=True, slots=True)
class _Part:
    """One item: its mel, its levelled sound of 200 samples a column, and its targets."""

    mels: NDArray[np.float16]
    sound: Samples
    coefficients: NDArray[np.float16]
    classes: NDArray[np.int8]


def load(paths: Iterable[Path]) -> Shard:
    """Several shards as one."""
    return joined([_load(path) for path in paths])


def joined(shards: Iterable[Shard]) -> Shard:
    """One after the other."""
    shards = list(shards)
    return Shard(
        np.concatenate([shard.mels for shard in shards], axis=1),
        np.concatenate([shard.frames for shard in shards], axis=1),
        np.concatenate([shard.coefficients for shard in shards], axis=1),
        np.concatenate([shard.classes for shard in shards]),
    )


def synthetic(seed: int, espeak_sentences: int, flite_sentences: int, folder: Path) -> Iterator[Spoken]:
    """Sentences in many languages and voices."""
    sentences, chance = Sentences(seed), default_rng(seed)
    for _ in range(espeak_sentences):
        sentence = sentences.any_language()
        variant = str(chance.choice(_VARIANTS))
        words_per_minute, pitch = int(chance.integers(110, 240)), int(chance.integers(15, 85))
        for voice in (f"{sentence.voice}+{variant}" if variant else sentence.voice, sentence.voice):
            spoken = espeak.speak(
                sentence.text,
                voice,
                words_per_minute=words_per_minute,
                pitch=pitch,
                pitch_range=int(chance.integers(20, 80)),
            )
            if spoken is not None:
                yield spoken
                break
    for index in range(flite_sentences):
        # The statistical voices of real speakers three times for each of the two older ones.
        voice = flite.VOICES[(0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4)[index % 11]]
        spoken = flite.speak(sentences.english(), voice, folder, stretch=float(chance.uniform(0.75, 1.3)))
        if spoken is not None:
            yield spoken


def shard(items: Iterable[Spoken], seed: int, backgrounds: list[Samples], encode: Encode) -> Shard:
    """Every item once, at its own speed and timbre, disturbed; later items hear earlier ones as babble."""
    chance = default_rng([seed, 1])
    babble: list[Samples] = []
    parts = []
    for samples, rate, segments in items:
        if len(segments) < 3 or len(samples) < rate // 4:
            continue
        varied, moved = _at_other_speed(samples, rate, segments, chance)
        clean, moved = _with_pauses(varied, moved, chance)
        parts.append(_part(augmentation.disturbed(clean, backgrounds + babble, chance), moved, level_db(clean)))
        if len(babble) < 30:
            babble.append(varied)
    return _whole(parts, encode)


def rest(seed: int, sounds: list[Samples], pieces: int, encode: Encode) -> Shard:
    """Where nobody speaks: noise, breaths, clicks, tones and `sounds`, 5 s each, with resting targets."""
    chance = default_rng([seed, 2])
    length = 5 * RATE
    parts = []
    for index in range(pieces):
        made = augmentation.noise(length, chance) * 10 ** (chance.uniform(-50, -10) / 20)
        kind = index % 5
        if kind == 4 and sounds:
            sound = augmentation.slice_of(sounds[int(chance.integers(len(sounds)))], length, chance)
            made = made * 0.05 + sound * 0.1
        elif kind:
            other = (augmentation.breaths, augmentation.clicks, augmentation.tones)[kind % 3](length, chance)
            made = made * 0.1 + other * 10 ** (chance.uniform(-40, -8) / 20)
        quiet = np.asarray(made, np.float32)
        louder = levelled(quiet) if chance.random() < 0.5 else quiet
        parts.append(_part(louder, [Segment(SILENCE, 0.0, 5.0, 5.0)], level_db(quiet), level=False))
    return _whole(parts, encode)


def _part(samples: Samples, segments: list[Segment], clean_level: NDArray[np.float32], *, level: bool = True) -> _Part:
    columns = columns_of(samples)
    sound = levelled(samples) if level else samples
    return _Part(
        mel(sound).astype(np.float16),
        np.pad(sound, (0, HOP))[: columns * HOP],
        coefficients(segments, columns, clean_level).T.astype(np.float16),
        classes(segments, columns).astype(np.int8),
    )


def _whole(parts: list[_Part], encode: Encode) -> Shard:
    sound = np.concatenate([part.sound for part in parts])
    columns = len(sound) // HOP // 8 * 8
    return Shard(
        np.concatenate([part.mels for part in parts], axis=1)[:, :columns],
        heard(sound, encode)[:, : columns * 5 // 8].astype(np.float16),
        np.concatenate([part.coefficients for part in parts], axis=1)[:, :columns],
        np.concatenate([part.classes for part in parts])[:columns],
    )


def _at_other_speed(
    samples: Samples, rate: int, segments: list[Segment], chance: Generator
) -> tuple[Samples, list[Segment]]:
    """16 kHz samples played faster or slower: another pitch, another length of the vocal tract."""
    played = round(rate * chance.uniform(0.85, 1.2) / 100) * 100 if chance.random() < 0.7 else rate
    factor = rate / played
    return resampled(samples, played), [_moved(segment, factor, 0.0) for segment in segments]


def _with_pauses(samples: Samples, segments: list[Segment], chance: Generator) -> tuple[Samples, list[Segment]]:
    """Silence before and after."""
    before, after = (int(RATE * chance.uniform(0.05, 0.5)) for _ in range(2))
    padded = np.concatenate([np.zeros(before, np.float32), samples, np.zeros(after, np.float32)])
    start = before / RATE
    moved = [_moved(segment, 1.0, start) for segment in segments]
    end = max(moved[-1].end, start + len(samples) / RATE)
    stop = len(padded) / RATE
    return padded, [Segment(SILENCE, 0.0, start, start), *moved, Segment(SILENCE, end, stop, stop)]


def _moved(segment: Segment, factor: float, by: float) -> Segment:
    return replace(
        segment,
        start=segment.start * factor + by,
        end=segment.end * factor + by,
        hold_end=segment.hold_end * factor + by,
    )


def _load(path: Path) -> Shard:
    with np.load(path) as arrays:
        return Shard(arrays["mels"], arrays["frames"], arrays["coefficients"], arrays["classes"])
