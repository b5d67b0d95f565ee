"""What an output is coded as: to play everywhere, or to keep all that the source has (docs/delivery.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, Literal

from services.media.clip import Clip
from services.media.colour import ColourTags, Matrix, Range, matrix_of, range_of
from services.media.hardware import HARDWARE, Bounds
from services.media.tone_mapping import HdrMetadata, needs_mapping
from services.media.x264 import x264_options

Delivery = Literal["compatible", "source"]

BT709: Final = ColourTags(matrix=1, range=1, primaries=1, transfer=1)
_NOT_SAID: Final = 2
_TAG_OF_MATRIX: Final = {Matrix.BT709: 1, Matrix.BT601: 6}
_ORDINARY_MATRICES: Final = frozenset({1, 2, 5, 6})
"""BT.709, not said, BT.601"""
_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class _Level:
    """What a decoder of a level of H.264 can do (Table A-1), for the profile High."""

    name: str
    blocks_a_second: int
    blocks: int
    bits_a_second: int


_LEVELS: Final = (
    _Level("4.1", 245_760, 8_192, 62_500_000),
    _Level("4.2", 522_240, 8_704, 62_500_000),
    _Level("5.1", 983_040, 36_864, 300_000_000),
    _Level("5.2", 2_073_600, 36_864, 300_000_000),
    _Level("6.2", 16_711_680, 139_264, 1_000_000_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How the frames of a clip are coded."""

    codec: str
    """FFmpeg's name: libx264, libx265, or one of HARDWARE"""
    pixel_format: str
    colour: ColourTags
    converted: bool
    """The frames are not coded as they are"""
    options: Mapping[str, str] = field(default_factory=dict)
    by_hardware: bool = False
    """It may fail where software does not"""

    @property
    def tag(self) -> str:
        """The four letters of the MP4 sample entry; Apple's players take no hev1."""
        return "hvc1" if self.codec == "libx265" else "avc1"


def encoding_of(clip: Clip, delivery: Delivery, *, crf: int, preset: str, hardware: str | None = None) -> Encoding:
    """The encoding of a clip; crf 0 is lossless, for which H.264 has no profile that plays everywhere.

    `hardware` is which of HARDWARE works here; it makes what plays everywhere, and nothing else.
    """
    if delivery == "compatible":
        return _compatible(clip, crf, preset, hardware)
    if clip.pixel_format.endswith("10le"):
        return Encoding(
            codec="libx265",
            pixel_format=clip.pixel_format,
            colour=clip.colour,
            converted=False,
            options={"preset": preset, "x265-params": _x265_parameters(clip, crf)} | ({"crf": str(crf)} if crf else {}),
        )
    return Encoding(
        codec="libx264",
        pixel_format=clip.pixel_format,
        colour=clip.colour,
        converted=False,
        options=x264_options(preset, crf),
    )


def plays_everywhere(clip: Clip) -> bool:
    """True when frames of the clip need no conversion: 8 bit, 4:2:0, ordinary colours in limited range."""
    return (
        clip.pixel_format == "yuv420p"
        and range_of(clip.colour) is Range.LIMITED
        and clip.colour.matrix in _ORDINARY_MATRICES
        and not needs_mapping(clip.colour)
    )


def level_of(width: int, height: int, frame_rate: Fraction) -> _Level:
    """The lowest level from 4.1 on that can carry such a video; what no level can gets the highest."""
    blocks = -(-width // 16) * -(-height // 16)
    fitting = (each for each in _LEVELS if blocks <= each.blocks and blocks * frame_rate <= each.blocks_a_second)
    return next(fitting, _LEVELS[-1])


def _compatible(clip: Clip, crf: int, preset: str, hardware: str | None) -> Encoding:
    fits = plays_everywhere(clip)
    level = level_of(clip.width, clip.height, clip.frame_rate)
    software = Encoding(
        codec="libx264",
        pixel_format="yuv420p",
        colour=_said(clip) if fits else BT709,
        converted=not fits,
        options=x264_options(preset, crf),
    )
    if not crf:
        return software
    if hardware:
        encoder = HARDWARE[hardware]
        options = encoder.options(preset, crf, Bounds(level.name, level.bits_a_second))
        return replace(
            software, codec=encoder.codec, pixel_format=encoder.pixel_format, options=options, by_hardware=True
        )
    bits = str(level.bits_a_second)
    held = {"profile": "high", "level": level.name, "maxrate": bits, "bufsize": bits}
    return replace(software, options={**software.options, **held})


def _said(clip: Clip) -> ColourTags:
    """The clip's tags, with the matrix and the range that were reckoned with: players guess each in their own way."""
    matrix = clip.colour.matrix
    if matrix == _NOT_SAID:
        matrix = _TAG_OF_MATRIX[matrix_of(clip.colour, clip.width, clip.height)]
    return replace(clip.colour, matrix=matrix, range=1)


def _x265_parameters(clip: Clip, crf: int) -> str:
    said = {"log-level": "none", "pools": str(_THREADS), "frame-threads": str(_THREADS)}
    if not crf:
        said["lossless"] = "1"
    if clip.hdr:
        said |= _hdr_parameters(clip.hdr)
    return ":".join(f"{name}={value}" for name, value in said.items())


def _hdr_parameters(hdr: HdrMetadata) -> dict[str, str]:
    said = {}
    if hdr.display:
        places = zip(("G", "B", "R", "WP"), hdr.display[:8:2], hdr.display[1:8:2], strict=True)
        points = (f"{name}({x},{y})" for name, x, y in places)
        said["master-display"] = "".join(points) + f"L({hdr.display[8]},{hdr.display[9]})"
    if hdr.brightest:
        said["max-cll"] = f"{hdr.brightest},{hdr.brightest_picture}"
    return said
