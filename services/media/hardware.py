"""Encoders of graphics hardware for H.264: what each is told of the options that x264 is told in its own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_KEYFRAMES: Final = 250
"""Pictures between two at the most, as x264 has it: what players seek by"""
_NVENC_PRESETS: Final[Mapping[str, str]] = {
    "ultrafast": "p1", "superfast": "p2", "veryfast": "p4", "faster": "p4", "fast": "p5", "medium": "p5",
    "slow": "p6", "slower": "p7", "veryslow": "p7",
}  # fmt: skip
_QSV_FASTEST: Final = "veryfast"


class HardwareFailedError(Exception):
    """An encoder of graphics hardware refused a picture, or broke off: software can do what it could not."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a level of H.264 allows."""

    level: str
    """As `4.1`"""
    bits_a_second: int


@dataclass(frozen=True, slots=True)
class Hardware:
    """One encoder, by FFmpeg's name for it."""

    codec: str
    pixel_format: str
    """The form of 8-bit 4:2:0 that it takes: yuv420p, or nv12, which has the same samples in another order"""
    options: Callable[[str, int, Bounds], Mapping[str, str]]
    """FFmpeg's options for a preset and a crf of x264's, and bounds; always of the profile High"""


def _nvenc(preset: str, crf: int, bounds: Bounds) -> Mapping[str, str]:
    # Without a bit rate of 0 the quality would be held to FFmpeg's default of 2 Mbit/s.
    quality = {"preset": _NVENC_PRESETS[preset], "tune": "hq", "rc": "vbr", "cq": str(crf), "b": "0", "spatial-aq": "1"}
    return quality | _held_to(bounds, bounds.level)


def _qsv(preset: str, crf: int, bounds: Bounds) -> Mapping[str, str]:
    known = _QSV_FASTEST if preset in ("ultrafast", "superfast") else preset
    # A mean bit rate below the highest one makes it hold the quality within both; equal ones would be a constant rate.
    quality = {"preset": known, "global_quality": str(crf), "b": str(bounds.bits_a_second // 2)}
    return quality | _held_to(bounds, bounds.level.replace(".", ""))


def _held_to(bounds: Bounds, level: str) -> dict[str, str]:
    bits = str(bounds.bits_a_second)
    return {"profile": "high", "level": level, "maxrate": bits, "bufsize": bits, "g": str(_KEYFRAMES)}


HARDWARE: Final[Mapping[str, Hardware]] = {
    each.codec: each for each in (Hardware("h264_nvenc", "yuv420p", _nvenc), Hardware("h264_qsv", "nv12", _qsv))
}
"""In the order in which they are tried"""
