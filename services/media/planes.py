"""From FFmpeg's decoded pictures to frames: upright, of even size, in a format that H.264 can keep."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, cast

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from services.media.colour import HLG, PQ, WIDE_PRIMARIES, ColourTags, Samples
from services.media.orientation import Orientation
from services.media.tone_mapping import HdrMetadata

KEPT_FORMATS: Final = frozenset({"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"})
"""What libx264 codes as it is; the planes of such a source are never converted."""
_GREY_TAGS: Final = ColourTags(matrix=1, range=2, primaries=1, transfer=1)
_UNSPECIFIED: Final = 2


def kept_format(picture: VideoFrame, orientation: Orientation) -> str:
    """The pixel format that frames of this source get: its own if H.264 can keep it, else the nearest."""
    stored = picture.format.name.replace("yuvj", "yuv")
    if stored not in KEPT_FORMATS:
        stored = _nearest_format(picture.format)
    # A quarter turn makes 4:4:0 of 4:2:2, which H.264 does not have.
    return stored.replace("422", "444") if orientation.swap else stored


def tags_of(picture: VideoFrame) -> ColourTags:
    """The colour tags of the frames: the source's own, or those of the conversion when it was RGB or grey."""
    if _is_grey(picture.format):
        return _GREY_TAGS
    if not _is_yuv(picture.format):
        wide, high = picture.color_primaries in WIDE_PRIMARIES, picture.color_trc in (PQ, HLG)
        return ColourTags(1, 1, picture.color_primaries if wide else 1, picture.color_trc if high else 1)
    full = picture.format.name.startswith("yuvj")
    return ColourTags(
        matrix=picture.colorspace or _UNSPECIFIED,  # 0 would be RGB
        range=2 if full else picture.color_range,
        primaries=picture.color_primaries,
        transfer=picture.color_trc,
    )


def hdr_metadata(picture: VideoFrame) -> HdrMetadata | None:
    """What a picture of high dynamic range carries about its light; None for any other, or when it says nothing."""
    if picture.color_trc not in (PQ, HLG):
        return None
    try:
        found = {data.type: bytes(data) for data in cast("Iterable[SideData]", picture.side_data)}
    except ValueError:  # PyAV 18 has no name for some kinds of side data, and gives none of it then
        return None
    display, light = found.get(Type.MASTERING_DISPLAY_METADATA), found.get(Type.CONTENT_LIGHT_LEVEL)
    if display is None and light is None:
        return None
    brightest, brightest_picture = struct.unpack_from("<2I", light) if light else (0, 0)
    return HdrMetadata(_mastering_display(display) if display else (), brightest, brightest_picture)


def _mastering_display(data: bytes) -> tuple[int, ...]:
    """FFmpeg's AVMasteringDisplayMetadata (ten rationals, two flags) as HdrMetadata.display has it."""
    numbers = struct.unpack_from("<22i", data)
    if not (numbers[20] and numbers[21]) or 0 in numbers[1:20:2]:
        return ()
    red, green, blue, white = (
        [round(Fraction(*numbers[at : at + 2]) * 50000) for at in (4 * point, 4 * point + 2)] for point in range(4)
    )
    least, most = (round(Fraction(*numbers[at : at + 2]) * 10000) for at in (16, 18))
    return (*green, *blue, *red, *white, most, least)


def upright_planes(
    picture: VideoFrame, stored_size: tuple[int, int], pixel_format: str, tags: ColourTags, orientation: Orientation
) -> tuple[Samples, Samples, Samples]:
    """Y, U and V in `pixel_format`, upright and padded to even size by repeating the last row and column.

    Mostly they are FFmpeg's memory, which nobody may write to: other pictures are made of it.
    """
    if (picture.width, picture.height) != stored_size or picture.format.name.replace("yuvj", "yuv") != pixel_format:
        picture = _convert(picture, stored_size, pixel_format, tags)
    chroma = _even(stored_size[0]) // _chroma_step(picture)[0], _even(stored_size[1]) // _chroma_step(picture)[1]
    sizes = ((_even(stored_size[0]), _even(stored_size[1])), chroma, chroma)
    y, u, v = (orientation.turn(_padded(plane_view(picture, number), *size)) for number, size in enumerate(sizes))
    return y, u, v


def frame_bytes(pixel_format: str, width: int, height: int) -> int:
    """Memory of one frame in a kept format."""
    halves = {"420": 3, "422": 4, "444": 6}[pixel_format[3:6]]
    return width * height * halves // 2 * (2 if pixel_format.endswith("10le") else 1)


def split_planes(content: memoryview, pixel_format: str, width: int, height: int) -> tuple[Samples, Samples, Samples]:
    """Y, U and V of a frame in a kept format that lie one after the other; they share the memory of `content`."""
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[pixel_format[3:6]]
    samples = np.frombuffer(content, np.uint16 if pixel_format.endswith("10le") else np.uint8)
    chroma = (height // down, width // across)
    luma, blue = height * width, chroma[0] * chroma[1]
    u, v = (samples[start : start + blue].reshape(chroma) for start in (luma, luma + blue))
    return samples[:luma].reshape(height, width), u, v


def plane_view(picture: VideoFrame, number: int) -> Samples:
    """One plane of a planar picture without the padding of its rows; the memory is FFmpeg's."""
    plane = picture.planes[number]
    kind = np.dtype(np.uint16 if picture.format.components[0].bits > 8 else np.uint8)
    return np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)[:, : plane.width]


def _without_tint(grey: VideoFrame) -> VideoFrame:
    """FFmpeg dithers what should be no colour between the two values next to it."""
    for number in (1, 2):
        plane_view(grey, number)[:] = 1 << (grey.format.components[0].bits - 1)
    return grey


def _is_grey(stored: VideoFormat) -> bool:
    return stored.name.startswith(("gray", "ya"))


def _convert(picture: VideoFrame, size: tuple[int, int], pixel_format: str, tags: ColourTags) -> VideoFrame:
    source_is_yuv = _is_yuv(picture.format)
    converted = picture.reformat(
        *size,
        format=pixel_format,
        src_colorspace=None if source_is_yuv else "itu709",
        dst_colorspace=None if source_is_yuv else "itu709",
        src_color_range=tags.range if source_is_yuv else 2,
        dst_color_range=tags.range,
        interpolation="BICUBIC",
    )
    return _without_tint(converted) if _is_grey(picture.format) else converted


def _is_yuv(stored: VideoFormat) -> bool:
    """Not RGB, grey or with a palette."""
    return not stored.is_rgb and len(stored.components) >= 3


def _nearest_format(stored: VideoFormat) -> str:
    depth = "10le" if stored.components[0].bits > 8 else ""
    if not _is_yuv(stored):
        return f"yuv420p{depth}"
    across, down = 64 // stored.chroma_width(64), 64 // stored.chroma_height(64)
    if across == 1:
        return f"yuv444p{depth}"
    return f"yuv420p{depth}" if down > 1 else f"yuv422p{depth}"


def _chroma_step(picture: VideoFrame) -> tuple[int, int]:
    return 64 // picture.format.chroma_width(64), 64 // picture.format.chroma_height(64)


def _even(size: int) -> int:
    return size + size % 2


def _padded(plane: Samples, width: int, height: int) -> Samples:
    missing = (height - plane.shape[0], width - plane.shape[1])
    return np.pad(plane, ((0, missing[0]), (0, missing[1])), mode="edge") if any(missing) else plane
