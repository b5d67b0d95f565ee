"""Encoders that stand in for graphics hardware where there is none."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from services.media import delivery, hardware, hardware_trial
from services.media.hardware import Bounds, Hardware
from services.media.x264 import x264_options

STANDING_IN = "libx264"


def stand_in(monkeypatch: pytest.MonkeyPatch, codec: str = STANDING_IN, **changes: str) -> None:
    """Have software take nv12 as hardware does, with `changes` of FFmpeg's options for it."""

    def options(preset: str, crf: int, bounds: Bounds) -> Mapping[str, str]:
        bits = str(bounds.bits_a_second)
        held = {"profile": "high", "level": bounds.level, "maxrate": bits, "bufsize": bits}
        return x264_options(preset, crf) | held | changes

    table = {codec: Hardware(codec, "nv12", options)}
    for module in (hardware, delivery, hardware_trial):
        monkeypatch.setattr(module, "HARDWARE", table)
