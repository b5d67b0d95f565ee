"""File names that are safe to show and to give to a file system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

_NAME_BYTES: Final = 200
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')


def display_name(name: str) -> str:
    """A file name as the user knows it, without folders or anything a file system or header could trip over."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    # Control and format characters (Cc, Cf: also the marks that reverse text), lone surrogates (Cs).
    visible = "".join(letter for letter in last if unicodedata.category(letter) not in ("Cc", "Cf", "Cs"))
    clean = _FORBIDDEN.sub("_", visible).strip(" .")
    stem, suffix = PurePosixPath(clean or "file").stem, PurePosixPath(clean or "file").suffix[:16]
    room = _NAME_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore") + suffix


def output_names(video_names: Iterable[str], audio_name: str) -> list[str]:
    """One readable file name per video, all different (also where upper and lower case are the same)."""
    speech = _shorten(PurePosixPath(audio_name).stem)
    return different_names(f"{_shorten(PurePosixPath(video_name).stem)} - {speech}.mp4" for video_name in video_names)


def different_names(wanted: Iterable[str]) -> list[str]:
    """The names in order, with a number where one was taken already (also where upper and lower case are the same)."""
    taken: set[str] = set()
    names = []
    for each in wanted:
        stem, suffix = PurePosixPath(each).stem, PurePosixPath(each).suffix
        name, number = each, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem} ({number}){suffix}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _shorten(stem: str) -> str:
    return stem.encode()[: _NAME_BYTES // 2 - 10].decode(errors="ignore").strip()
