"""Recordings of real people with their words: names of Tux Paint's stamps, letters and syllables of KLettres."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_VOICES: Final = {
    "be": "be", "bg": "bg", "ca": "ca", "da": "da", "el": "el", "es": "es", "fr": "fr", "lt": "lt", "nl": "nl",
    "ro": "ro", "ru": "ru",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, what is said in it, and the voice of espeak-ng that knows how it is pronounced."""

    path: Path
    text: str
    voice: str


_LETTER_VOICES: Final = {
    "cs": "cs", "da": "da", "de": "de", "en": "en-us", "en_GB": "en-gb-x-rp", "es": "es", "fr": "fr", "hu": "hu",
    "it": "it", "lt": "lt", "nb": "nb", "nds": "de", "nl": "nl", "pt_BR": "pt-br", "ru": "ru", "uk": "uk",
}  # fmt: skip


def letters(folder: Path) -> Iterator[Recording]:
    """All that `folder` (klettres of the package klettres-data) holds in languages that espeak-ng reads."""
    for language, voice in _LETTER_VOICES.items():
        listing = folder / language / "sounds.xml"
        if not listing.exists():
            continue
        for text, file in re.findall(r'<sound name="([^"]+)" file="([^"]+)"', listing.read_text("utf-8", "replace")):
            if (path := folder / file).exists():
                yield Recording(path, text.lower(), voice)


def stamps(folder: Path) -> Iterator[Recording]:
    """All that `folder` (tuxpaint/stamps of the package tuxpaint-stamps-default) holds with words, sorted by name."""
    for words in sorted(folder.rglob("*.txt")):
        lines = words.read_text("utf-8", "replace").splitlines()
        texts = dict(line.split(".utf8=", 1) for line in lines if ".utf8=" in line)
        for language, voice in _VOICES.items():
            path = words.with_name(f"{words.stem}_desc_{language}.ogg")
            if language in texts and path.exists():
                yield Recording(path, texts[language], voice)
        english = words.with_name(f"{words.stem}_desc.ogg")
        if english.exists() and lines:
            yield Recording(english, lines[0], "en-us")
