"""The evaluation: recordings no training has seen, one table for any number of exported nets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
import torch
from numpy.random import default_rng

from export.training import augmentation, espeak, languages, narration
from export.training import kokoro_notation as notation
from export.training.aligned_english import aligned, decoded
from export.training.alignment import align
from export.training.hearing import heard
from export.training.kokoro import RATE as KOKORO_RATE
from export.training.kokoro import Kokoro
from export.training.measures import Hits, Track, correlation, hits, lag, opening
from export.training.network import at_columns
from export.training.phones import BILABIALS, LABIODENTALS, Segment
from export.training.sound import RATE, Samples, columns_of, level_db, levelled, mel, noise_gate, read, resampled
from export.training.targets import coefficients, holds

_CLOSED: Final = 0.012
"""Eye distances under which a mouth counts as shut"""
_CLOSE, _FV = 1, 6

ENGLISH: Final = (
    "My mother baked a big apple pie before the museum opened.",
    "Pam and Bob bump into people by the empty map shop.",
    "Five brave women move above the river every morning.",
    "Maybe the problem is simple, but numbers may become important.",
    "Please bring me a cup of black pepper and some marmalade.",
    "The weather over the valley was windy, and nobody could see the northern hills.",
    "A dozen dinner guests waited for the waiter near the wooden window.",
)
MANDARIN: Final = (
    "ming2 tian1 wo3 men5 yi4 qi3 qu4 mai3 mian4 bao1 he2 pu2 tao5",
    "ba4 ba5 fei1 chang2 pang4 ma1 ma5 bu4 pa4 feng1",
    "ni3 hao3 wo3 de5 peng2 you5 jin1 tian1 tian1 qi4 hen3 hao3",
    "fang2 jian1 li3 you3 wu3 ben3 shu1 he2 yi1 fu4 hua4",
    "qing3 bang1 wo3 ba3 men2 guan1 hao3 bu2 yao4 wang4 ji4",
)
ENGLISH_VOICES: Final = (
    "en-gb-x-rp",
    "en-gb-x-rp+m6",
    "en-us+Michael",
    "en-us+linda",
    "en-gb-x-rp+f4",
    "en-us+boris",
)
MANDARIN_VOICES: Final = ("cmn-latn-pinyin+m6", "cmn-latn-pinyin+Michael", "cmn-latn-pinyin+f4")


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound and its phones; no phones at all means that the mouth must rest."""

    samples: Samples
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class Row:
    """What one net does on one set."""

    bilabial: Hits
    labiodental: Hits
    jaw: float
    jaw_lag: int
    channels: tuple[float, ...]
    shut: float
    """Share of the columns in which the mouth is open less than .012 eye distances; of interest without speech"""


class Served:
    """The two models of a folder, as the services use them."""

    def __init__(self, folder: Path) -> None:
        self._features, self._mouth = (
            onnxruntime.InferenceSession(folder / f"{name}.onnx") for name in ("speech_features", "speech_to_mouth")
        )

    def coefficients(self, samples: Samples) -> Track:
        """(columns, 8) of levelled samples."""
        columns = mel(samples)
        frames = heard(samples, lambda piece: self._features.run(None, {"samples": piece[None]})[0][0])
        features = at_columns(torch.from_numpy(frames)[None], columns.shape[1]).numpy()
        made: Track = self._mouth.run(None, {"mel": columns[None], "features": features})[0][0].T
        return made


def predicted(net: Served, samples: Samples) -> Track:
    """(columns, 8) as the default family uses them: gated by level, closures expanded."""
    raw = net.coefficients(levelled(samples))
    made: Track = (raw * noise_gate(level_db(samples))[:, None]).astype(np.float32)
    made[:, _CLOSE] = np.clip((made[:, _CLOSE] - 0.25) / 0.27, 0, 1)
    made[:, _FV] = np.clip((made[:, _FV] - 0.20) / 0.45, 0, 1)
    return made


def measured(net: Served, recordings: Iterable[Recording]) -> Row:
    """The pooled figures over a set."""
    bilabial, labiodental = Hits(), Hits()
    made, wanted = [], []
    for recording in recordings:
        track = predicted(net, recording.samples)
        made.append(track)
        if recording.segments:
            bilabial += hits(track[:, _CLOSE], holds(recording.segments, BILABIALS))
            labiodental += hits(track[:, _FV], holds(recording.segments, LABIODENTALS))
            level = level_db(recording.samples)
            wanted.append(coefficients(recording.segments, columns_of(recording.samples), level))
    track = np.concatenate(made)
    shut = float((opening(track) < _CLOSED).mean())
    if not wanted:
        return Row(bilabial, labiodental, float("nan"), 0, (), shut)
    target = np.concatenate(wanted)
    channels = tuple(correlation(track[:, k], target[:, k]) for k in range(track.shape[1]))
    return Row(bilabial, labiodental, channels[0], lag(track[:, 0], target[:, 0]), channels, shut)


def clip(path: Path, text: str | None) -> list[Recording]:
    """A natural recording, aligned to its text or to what pocketsphinx hears."""
    samples = read(path)
    segments = aligned(samples, text or decoded(samples))
    return [Recording(samples, segments)] if segments else []


def prompts(folder: Path, texts: Path) -> Iterator[Recording]:
    """The English Asterisk prompts of `texts` ("name: words" lines) that are in `folder` and align credibly."""
    for line in texts.read_text().splitlines():
        name, _, text = line.partition(": ")
        path = folder / f"{name}.g722"
        if path.exists() and (segments := aligned(samples := read(path), text)):
            yield Recording(samples, segments)


def synthetic(texts: Sequence[str], voices: Sequence[str]) -> Iterator[Recording]:
    """Every sentence by every voice of espeak-ng."""
    for index, text in enumerate(texts):
        for voice in voices:
            spoken = espeak.speak(text, voice, words_per_minute=140 + 10 * (index % 5))
            if spoken is not None:
                samples, rate, segments = spoken
                yield Recording(resampled(samples, rate), segments)


def narrated(kokoro: Kokoro) -> dict[str, list[Recording]]:
    """The same sentences by those of Kokoro's voices that no training hears."""
    english = [
        (notation.english(text, narration.LANGUAGES[voice[0]]), voice)
        for voice in narration.UNSEEN
        if voice[0] in "ab"
        for text in ENGLISH
    ]
    mandarin = [
        (notation.mandarin([[syllable] for syllable in text.split()]), voice)
        for voice in narration.UNSEEN
        if voice[0] == "z"
        for text in MANDARIN
    ]
    return {"narrated English": _placed(kokoro, english), "narrated Mandarin": _placed(kokoro, mandarin)}


def by_language(kokoro: Kokoro | None) -> dict[str, list[Recording]]:
    """Sentences in other languages by espeak-ng and, where it has voices for them, by Kokoro."""
    sets = {}
    for name, language in languages.LANGUAGES.items():
        sets[f"synthetic {name}"] = [_recording(each) for each in languages.synthetic(language)]
        if kokoro is not None and language.narrators:
            sets[f"narrated {name}"] = [_recording(each) for each in languages.narrated(language, kokoro)]
    return sets


def _recording(said: languages.Said) -> Recording:
    return Recording(said.samples, said.segments)


def sung(recordings: Iterable[Recording]) -> list[Recording]:
    """The same words sung."""
    return [_recording(languages.sung(languages.Said(each.samples, each.segments))) for each in recordings]


def _placed(kokoro: Kokoro, sentences: Sequence[tuple[str, str]]) -> list[Recording]:
    recordings = []
    for tokens, voice in sentences:
        samples = resampled(kokoro.speak(tokens, kokoro.style(voice)).samples, KOKORO_RATE)
        segments = align(samples, notation.words_of(tokens))
        if segments is not None:
            recordings.append(Recording(samples, segments))
    return recordings


def silence_and_noise(clips: Sequence[Path]) -> Iterator[Recording]:
    """Made noise, breaths, clicks, tones, and the sounds of `clips` (music, rooms), at several levels."""
    chance = default_rng(99)
    length = 6 * RATE
    for level in (0.001, 0.01, 0.05):
        for sound in (augmentation.noise, augmentation.breaths, augmentation.clicks, augmentation.tones):
            background = augmentation.noise(length, chance) * level * 0.05
            yield Recording(np.asarray(sound(length, chance) * level + background, np.float32), [])
    for path in clips:
        yield Recording(read(path)[: 60 * RATE], [])


def table(rows: Mapping[str, Mapping[str, Row]]) -> str:
    """Markdown: a line for every set and net."""
    lines = [
        "| set | net | /p b m/ recall | precision | /f v/ recall | precision "
        "| jaw r | lag | r close, fv, wide, round | shut |",
        "|" + " --- |" * 10,
    ]
    for name, nets in rows.items():
        for net, row in nets.items():
            lines.append(f"| {name} | {net} | {_figures(row)} |")
    return "\n".join(lines)


def _figures(row: Row) -> str:
    if not row.channels:
        return f"| | | | | | | {row.shut:.3f}"
    bilabial, teeth, r = row.bilabial, row.labiodental, row.channels
    return " | ".join(
        [
            f"{bilabial.recall:.3f} ({bilabial.made}/{bilabial.wanted})",
            f"{bilabial.precision:.3f} ({bilabial.right}/{bilabial.predicted})",
            f"{teeth.recall:.3f} ({teeth.made}/{teeth.wanted})",
            f"{teeth.precision:.3f} ({teeth.right}/{teeth.predicted})",
            f"{row.jaw:.3f}",
            f"{row.jaw_lag:+d}",
            f"{r[_CLOSE]:.2f} {r[_FV]:.2f} {r[2]:.2f} {r[3]:.2f}",
            "",
        ]
    )
