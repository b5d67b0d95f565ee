"""Which files are accepted: the one table of their endings, for every door, and of what the probe lets pass."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

_CONTAINERS: Final[Mapping[str, str]] = {
    ".wav": "wav",
    ".mp3": "mp3",
    ".m4a": "mov",
    ".aac": "aac",
    ".flac": "flac",
    ".ogg": "ogg",
    ".opus": "ogg",
    ".wma": "asf",
    ".aiff": "aiff",
    ".aif": "aiff",
}
_VIDEO_CONTAINERS: Final[Mapping[str, str]] = {
    ".mp4": "mov",
    ".mov": "mov",
    ".mkv": "matroska",
    ".avi": "avi",
    ".webm": "matroska",
    ".m4v": "mov",
    ".wmv": "asf",
    ".flv": "flv",
    ".3gp": "mov",
    ".mpg": "mpeg",
    ".mpeg": "mpeg",
    ".mts": "mpegts",
}
AUDIO_SUFFIXES: Final = tuple(_CONTAINERS)
PICTURE_SUFFIXES: Final = (
    *_VIDEO_CONTAINERS, ".gif", ".jpg", ".jpeg", ".png", ".heic", ".heif", ".avif", ".webp", ".bmp"
)  # fmt: skip
CONTAINERS: Final = frozenset(_CONTAINERS.values()) | frozenset(_VIDEO_CONTAINERS.values())
"""FFmpeg's names of the formats behind the endings, pictures apart: those are told by their first bytes"""

MIN_SIDE: Final = 16
MAX_SIDE: Final = 8192
"""Pixels of a video's sides; a frame of this side already takes 100 MB. A photo's may be twice as long"""
MAX_STILL_SIDE: Final = 3840
"""Pixels; larger photos are scaled to fit"""
MAX_STILL_PIXELS: Final = 200_000_000
"""Of a photo, looked at before it is decoded: 600 MB of RGB. The largest sensors of phones have so many"""
MAX_FRAME_RATE: Final = Fraction(120)
"""Frames a second of a clip; faster videos are thinned out"""
