"""The sample recording, as long as a test wants it."""

from __future__ import annotations

import wave
from pathlib import Path

from tests.running_stack import SAMPLES


def announcement(path: Path, seconds: float, *, silence: float = 0.0) -> Path:
    """Written to `path`: cut off after `seconds`, or begun again until then; and silence after it."""
    with wave.open(str(SAMPLES / "announcement_en.wav")) as source, wave.open(str(path), "wb") as target:
        target.setparams(source.getparams())
        sound = source.readframes(source.getnframes())
        size, rest = (
            round(each * source.getframerate()) * source.getsampwidth() * source.getnchannels()
            for each in (seconds, silence)
        )
        target.writeframes((sound * (1 + size // len(sound)))[:size] + bytes(rest))
    return path
