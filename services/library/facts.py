"""What an uploaded file is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What an uploaded file is."""

    kind: str
    """video, audio or still"""
    seconds: float
    has_audio: bool
    width: int | None = None
    height: int | None = None
    frame_rate: str | None = None
    """An exact fraction, as in 30000/1001"""
