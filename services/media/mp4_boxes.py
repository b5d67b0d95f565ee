"""The boxes of an MP4 that was written: what its muxer cannot be told."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

_HEAD: Final = struct.Struct(">I4s")
_LONG: Final = struct.Struct(">Q")
_SIZE: Final = struct.Struct(">II")
_SHOWN_SIZE_OF_VERSION: Final = {0: 76, 1: 88}
"""Where in a tkhd, behind its head, width and height stand, in 1/65536 pixels (ISO/IEC 14496-12, 8.3.2)"""


def write_shown_width(path: Path, pixel_aspect: Fraction) -> None:
    """Say in the header of each track with a picture how wide it is shown, for players that take no notice of pasp.

    FFmpeg takes the shape of a pixel for it from a field of the stream that PyAV does not set.
    """
    if pixel_aspect == 1:
        return
    with path.open("r+b") as file:
        for start in _track_headers(file):
            file.seek(start)
            place = start + _SHOWN_SIZE_OF_VERSION[file.read(1)[0]]
            file.seek(place)
            width, height = _SIZE.unpack(file.read(_SIZE.size))
            file.seek(place)
            file.write(_SIZE.pack(min(round(width * pixel_aspect), 0xFFFFFFFF), height))


def _track_headers(file: BinaryIO) -> Iterator[int]:
    end = file.seek(0, 2)
    for moov in _boxes(file, b"moov", 0, end):
        for trak in _boxes(file, b"trak", *moov):
            yield from (start for start, _ in _boxes(file, b"tkhd", *trak))


def _boxes(file: BinaryIO, kind: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the boxes of a kind between `start` and `end` have their contents."""
    while start + _HEAD.size <= end:
        file.seek(start)
        size, found = _HEAD.unpack(file.read(_HEAD.size))
        head = _HEAD.size
        if size == 1:
            size, head = _LONG.unpack(file.read(_LONG.size))[0], head + _LONG.size
        if found == kind:
            yield start + head, start + size
        start += max(size, head)
