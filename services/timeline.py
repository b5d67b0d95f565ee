"""Which source frame an output frame shows, and how many frames an output has. Exact fractions, nothing else."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction


class Extend(StrEnum):
    """What an output shows when the audio is longer than the video."""

    PINGPONG = "pingpong"
    LOOP = "loop"
    FREEZE = "freeze"
    CUT = "cut"


def frame_count(seconds: Fraction, frame_rate: Fraction) -> int:
    """Frames that cover `seconds`: rounded up, so that the picture is never shorter than the sound; at least 1."""
    return max(1, -((-seconds * frame_rate) // 1))


def source_index(frame: int, source_frames: int, extend: Extend) -> int:
    """Index of the source frame behind output frame `frame`; after CUT's end it is the caller who stops."""
    if frame < source_frames or source_frames == 1:
        return min(frame, source_frames - 1)
    if extend is Extend.LOOP:
        return frame % source_frames
    if extend is Extend.PINGPONG:
        # The turning frames are shown once: 0 1 2 3 2 1 0 1 ...
        position = frame % (2 * source_frames - 2)
        return min(position, 2 * source_frames - 2 - position)
    return source_frames - 1
