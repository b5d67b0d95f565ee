"""Speech with phone times from flite, whose voices slt, rms and awb are statistical models of real speakers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

from export.training.phones import Segment, of_arpabet, spread
from export.training.sound import RATE, Samples, read

VOICES: Final = ("slt", "rms", "awb", "kal16", "kal")
_TIMEOUT: Final = 60.0


def speak(text: str, voice: str, folder: Path, *, stretch: float = 1.0) -> tuple[Samples, int, list[Segment]] | None:
    """(samples -1..1, samples a second, phones); None where the printed times do not cover the sound.

    flite writes the sound to a file in `folder`.
    """
    path = folder / "flite.wav"
    printed = subprocess.run(
        ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.2f}", "-psdur", "-t", text, "-o", str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=_TIMEOUT,
    ).stdout
    samples = read(path)
    segments = segments_of(printed)
    # Several sentences are printed one by one, each from zero: only one-sentence texts have usable times.
    if not segments or abs(segments[-1].end - len(samples) / RATE) > 0.3:
        return None
    return samples, RATE, segments


def segments_of(printed: str) -> list[Segment]:
    """Phones from what `flite -psdur` prints: pairs of a name and the second in which it ends."""
    segments: list[Segment] = []
    start = 0.0
    for name, end in re.findall(r"(\w+):([\d.]+)", printed):
        segments += spread(of_arpabet(name), start, float(end))
        start = float(end)
    return segments
