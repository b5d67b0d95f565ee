"""Other languages than those that the training hears most, and singing: what the evaluation speaks them with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import parselmouth
from parselmouth.praat import call

from export.training import espeak
from export.training import kokoro_notation as notation
from export.training.alignment import align
from export.training.kokoro import RATE as KOKORO_RATE
from export.training.kokoro import Kokoro
from export.training.phones import Segment
from export.training.sound import RATE, Samples, resampled

_VARIANTS: Final = ("", "+m6", "+f4")
_NOTES: Final = (0, 2, 4, 5, 7, 5, 4, 2)
"""Semitones above a voice's own pitch, sung up and down"""
_NOTE_SECONDS: Final = 0.45
_SLOWER: Final = 1.6
_VIBRATO_HERTZ, _VIBRATO_SEMITONES = 5.5, 0.4
_PITCH_RANGE: Final = (75.0, 500.0)
_POINT_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """Sentences with many p, b, m, f and v, and who says them."""

    synthetic: str
    """A voice of espeak-ng"""
    sentences: tuple[str, ...]
    narrators: tuple[str, ...] = ()
    """Voices of Kokoro, which the training hears (other sentences of theirs) but for the Japanese ones"""


LANGUAGES: Final = {
    "German": Language(
        synthetic="de",
        sentences=(
            "Meine Mutter backt einen Apfelkuchen, bevor das Museum öffnet.",
            "Bitte bringen Sie mir eine Lampe und ein paar Blumen mit.",
            "Viele Firmen verkaufen im Winter frische Waffeln.",
            "Am Bahnhof warten fünf Beamte auf den Abendzug.",
            "Wir bauen im Frühling ein Boot aus Pappe.",
        ),
    ),
    "French": Language(
        synthetic="fr",
        sentences=(
            "Ma mère prépare une bonne soupe pour mes amis.",
            "Le petit bateau blanc arrive au port avant midi.",
            "Vous pouvez prendre un peu de pain et de fromage.",
            "Mon frère a vendu une belle voiture verte.",
            "Il faut parler plus fort dans la chambre.",
        ),
        narrators=("ff_siwis",),
    ),
    "Spanish": Language(
        synthetic="es",
        sentences=(
            "Mi madre prepara una sopa para mis amigos.",
            "El perro blanco salta por el campo verde.",
            "Por favor, abran la puerta antes de empezar.",
            "Mañana vamos a comprar pan, fruta y mantequilla.",
            "Buenos días, me llamo Pablo y vivo en Palma.",
        ),
        narrators=("ef_dora", "em_alex"),
    ),
    "Italian": Language(
        synthetic="it",
        sentences=(
            "Mia mamma prepara il pane per tutta la famiglia.",
            "Il bambino vuole una bella palla blu.",
            "Prima di partire, prendo sempre un buon caffè.",
            "Domani mattina veniamo a vedere il film.",
        ),
        narrators=("if_sara", "im_nicola"),
    ),
    "Japanese": Language(
        synthetic="ja",
        sentences=(
            "まいにち ぱんを たべます。",
            "ぼくの ともだちは ばすで まちへ いきます。",
            "みなさん、おはよう ございます。",
            "おばあさんは ぼうしを かぶって います。",
            "ピアノの おとが へやに ひびきます。",
        ),
        narrators=("jf_alpha", "jm_kumo"),
    ),
    "Cantonese": Language(
        synthetic="sit/yue-Latn-jyutping",
        sentences=(
            "ngo5 maa4 maa1 hou2 mong4",
            "baa4 baa1 fei1 soeng4 faan1 mong4",
            "ping4 gwo2 tung4 bou1 dim2 maai6",
            "mui5 jat1 fan6 bou3 zi2 dou1 hou2 peng4",
            "pang4 jau5 faan1 uk1 kei2 sik6 maan5 faan6",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Said:
    """Samples at 16 kHz, and the phones in them."""

    samples: Samples
    segments: list[Segment]


def synthetic(language: Language) -> Iterator[Said]:
    """Every sentence by three variants of espeak-ng's voice."""
    for index, text in enumerate(language.sentences):
        for variant in _VARIANTS:
            spoken = espeak.speak(text, language.synthetic + variant, words_per_minute=140 + 10 * (index % 4))
            if spoken is not None:
                samples, rate, segments = spoken
                yield Said(resampled(samples, rate), segments)


def narrated(language: Language, kokoro: Kokoro) -> Iterator[Said]:
    """Every sentence by each narrator; those whose phones could not be placed are left out."""
    for voice in language.narrators:
        for text in language.sentences:
            tokens = notation.european(text, language.synthetic)
            samples = resampled(kokoro.speak(tokens, kokoro.style(voice)).samples, KOKORO_RATE)
            segments = align(samples, notation.words_of(tokens))
            if segments is not None:
                yield Said(samples, segments)


def sung(said: Said) -> Said:
    """The same words slower and on the notes of a scale, with vibrato, by Praat's overlap-add."""
    sound = parselmouth.Sound(said.samples.astype(np.float64), RATE)
    voice = call(sound, "To Manipulation", 0.01, *_PITCH_RANGE)
    own = call(
        sound.to_pitch(pitch_floor=_PITCH_RANGE[0], pitch_ceiling=_PITCH_RANGE[1]), "Get quantile", 0, 0, 0.5, "Hertz"
    )
    length = call("Create DurationTier", "slower", 0, sound.duration)
    call(length, "Add point", 0, _SLOWER)
    notes = call("Create PitchTier", "notes", 0, sound.duration)
    for seconds in np.arange(0, sound.duration, _POINT_SECONDS):
        call(notes, "Add point", seconds, _hertz(own, seconds * _SLOWER))
    call([notes, voice], "Replace pitch tier")
    call([length, voice], "Replace duration tier")
    made = call(voice, "Get resynthesis (overlap-add)")
    return Said(np.asarray(made.values[0], np.float32), [_slower(each) for each in said.segments])


def _hertz(own: float, seconds: float) -> float:
    """Of the melody, after so many seconds of the song."""
    note = _NOTES[int(seconds / _NOTE_SECONDS) % len(_NOTES)]
    vibrato = _VIBRATO_SEMITONES * math.sin(2 * math.pi * _VIBRATO_HERTZ * seconds)
    return float(own * 2 ** ((note + vibrato) / 12))


def _slower(segment: Segment) -> Segment:
    return replace(
        segment, start=segment.start * _SLOWER, end=segment.end * _SLOWER, hold_end=segment.hold_end * _SLOWER
    )
