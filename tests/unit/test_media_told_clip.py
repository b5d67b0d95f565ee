"""What a reading child says of a clip: it comes back as it was, and what no clip can be is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.media.clip import Clip
from services.media.colour import ColourTags
from services.media.fields import Scan
from services.media.orientation import Orientation
from services.media.timing import Timing
from services.media.told_clip import believed_clip, tell_clip
from services.media.tone_mapping import HdrMetadata

CLIP = Clip(
    path=Path("video"),
    name="her.mp4",
    frame_rate=Fraction(240000, 1001),
    frames=3,
    width=1080,
    height=1920,
    pixel_format="yuv420p10le",
    colour=ColourTags(9, 1, 9, 16),
    sample_aspect_ratio=Fraction(4, 3),
    still=False,
    hdr=HdrMetadata(tuple(range(10)), 1000, 400),
    orientation=Orientation(swap=True, mirror_x=True),
    scan=Scan.TOP_FIRST,
    stored_size=(1920, 1080),
    timing=Timing(Fraction(240000, 1001), np.array([0, 1, 5]), np.array([0]), counted=True),
)


def told() -> list[bytearray]:
    return [bytearray(part.tobytes()) for part in tell_clip(CLIP)]


def test_a_clip_comes_back_as_it_was() -> None:
    found = believed_clip(CLIP.path, CLIP.name, told())
    assert found == CLIP
    assert (found.timing.times.tolist(), found.timing.keyframes.tolist()) == ([0, 1, 5], [0])
    assert (found.timing.counted, found.timing.frame_rate) == (True, CLIP.frame_rate)


def said(**changes: Any) -> Callable[[list[bytearray]], list[bytearray]]:
    """The same parts, but for some of the values."""
    return lambda parts: [bytearray(json.dumps(json.loads(parts[0]) | changes).encode()), *parts[1:]]


WRONG: dict[str, Callable[[list[bytearray]], list[bytearray]]] = {
    "endless rate": said(frame_rate="1/0"),
    "no rate": said(frame_rate="0"),
    "a million a second": said(frame_rate="1000000"),
    "huge": said(width=1 << 40),
    "no height": said(height=0),
    "another format": said(pixel_format="rgb24"),
    "more than a format": said(pixel_format="yuv420p\n"),
    "no orientation": said(orientation=None),
    "odd light": said(hdr={"display": "bright"}),
    "odd lines": said(scan="sideways"),
    "nothing": lambda _: [],
    "too little": lambda parts: parts[:2],
    "too much": lambda parts: [*parts, bytearray(8)],
    "no frame": lambda parts: [parts[0], bytearray(), parts[2]],
    "half a time": lambda parts: [parts[0], bytearray(12), parts[2]],
    "no JSON": lambda parts: [bytearray(b"\x80\x04K\x01."), *parts[1:]],
    "deep JSON": lambda parts: [bytearray(b"[" * 100_000), *parts[1:]],
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG.keys())
def test_what_no_clip_can_be_is_refused(spoil: Callable[[list[bytearray]], list[bytearray]]) -> None:
    with pytest.raises(ValueError, match=r"."):
        believed_clip(CLIP.path, CLIP.name, spoil(told()))
