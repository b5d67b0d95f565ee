"""A clip as a reading child tells of it, and as its parent believes it: checked values and two arrays, no pickle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from services.accepted_files import MAX_FRAME_RATE, MAX_SIDE
from services.media.clip import Clip
from services.media.colour import ColourTags
from services.media.fields import Scan
from services.media.orientation import Orientation
from services.media.timing import Timing
from services.media.tone_mapping import HdrMetadata

_Side = Annotated[int, Field(gt=0, le=2 * MAX_SIDE)]


@dataclass(frozen=True, kw_only=True)
class _Told:
    """All of a clip but where it lies, what it is called and its times."""

    # Each picture of interlaced footage gives two frames.
    frame_rate: Annotated[Fraction, Field(gt=0, le=2 * MAX_FRAME_RATE)]
    width: _Side
    height: _Side
    pixel_format: Annotated[str, Field(pattern=r"^yuv4(20|22|44)p(10le)?$")]
    colour: ColourTags
    sample_aspect_ratio: Fraction
    still: bool
    hdr: HdrMetadata | None
    orientation: Orientation
    scan: Scan
    stored_size: tuple[_Side, _Side]
    counted: bool


_ADAPTER: Final = TypeAdapter(_Told)
_FIELDS: Final = ("frame_rate", "width", "height", "pixel_format", "colour", "sample_aspect_ratio", "still", "hdr",
                  "orientation", "scan", "stored_size")  # fmt: skip


def tell_clip(clip: Clip) -> Iterator[NDArray[np.generic]]:
    """JSON as bytes, then the times of its frames and those of its keyframes."""
    told = _Told(**{name: getattr(clip, name) for name in _FIELDS}, counted=clip.timing.counted)
    yield np.frombuffer(_ADAPTER.dump_json(told), np.uint8)
    yield clip.timing.times
    yield clip.timing.keyframes


def believed_clip(path: Path, name: str, chunks: Sequence[bytearray | memoryview]) -> Clip:
    """The clip of `path` that was told so; ValueError for what no clip can be."""
    said, *arrays = chunks
    told = _ADAPTER.validate_json(bytes(said))
    times, keyframes = (np.frombuffer(each, np.int64) for each in arrays)
    if not len(times):
        raise ValueError("a clip without a frame")
    return Clip(
        path=path,
        name=name,
        frames=len(times),
        timing=Timing(told.frame_rate, times, keyframes, told.counted),
        **{field: getattr(told, field) for field in _FIELDS},
    )
