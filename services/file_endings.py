"""The endings of files that are accepted, by what they hold."""

from __future__ import annotations

from typing import Final

AUDIO_SUFFIXES: Final = (".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus", ".wma", ".aiff", ".aif")
PICTURE_SUFFIXES: Final = (
    *(".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".wmv", ".flv", ".3gp", ".mpg", ".mpeg", ".mts"),
    *(".jpg", ".jpeg", ".png"),
)
