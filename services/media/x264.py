"""What libx264 is told of speed and quality; the figures behind it stand in docs/delivery.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TUNED: Final[Mapping[str, str]] = {
    # Small blocks and a wide search cost a fifth of its time, and give what ten more pictures looked ahead give back.
    "veryfast": "partitions=i4x4,i8x8:me=dia:rc-lookahead=20",
}
"""What a preset gets beside its own settings"""


def x264_options(preset: str, crf: int) -> dict[str, str]:
    """FFmpeg's options for a preset and a quality; crf 0 is lossless at every depth."""
    if not crf:
        # As a crf, 0 is lossless at 8 bit only; a quantiser of 0 is always.
        return {"preset": preset, "qp": "0"}
    tuned = {"x264-params": _TUNED[preset]} if preset in _TUNED else {}
    return {"preset": preset, "crf": str(crf), **tuned}
