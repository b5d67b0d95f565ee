"""Which encoder makes the videos here: graphics hardware that was seen to work, or software."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from services.parent_death import dying_with_us

EncoderChoice = Literal["auto", "software", "hardware"]
SOFTWARE: Final = "libx264"

_log = logging.getLogger(__name__)
_TRIAL: Final = (sys.executable, "-m", "services.render", "try-hardware")
_TRIAL_SECONDS: Final = 30.0
"""A driver that was just installed may compile for ten; one that hangs, hangs"""
_DEVICES: Final = (Path("/dev/nvidiactl"), Path("/dev/dri"), Path("/dev/dxg"))
"""NVIDIA's; Intel's and others'; those of Windows in WSL"""


@dataclass(frozen=True, slots=True)
class Encoder:
    """What makes the videos of a machine."""

    hardware: str | None
    """FFmpeg's name of the encoder; None: software"""
    text: str
    """For those who look after the machine"""


def find_encoder(
    choice: EncoderChoice,
    *,
    trial: Sequence[str] = _TRIAL,
    devices: Sequence[Path] = _DEVICES,
    seconds: float = _TRIAL_SECONDS,
) -> Encoder:
    """What a machine encodes with; takes `seconds` at most, and no process when it has no graphics device.

    `trial` is run by itself, since drivers crash and hang; it prints a document with `hardware` and `flaws`.
    """
    if choice == "software":
        return Encoder(None, f"{SOFTWARE} (CHORUS_ENCODER)")
    if choice == "auto" and not any(device.exists() for device in devices):
        return Encoder(None, f"{SOFTWARE}, for there is no graphics hardware")
    try:
        said = subprocess.run(
            dying_with_us(trial), capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds, check=True
        )
        return _told(json.loads(said.stdout))
    except subprocess.TimeoutExpired:
        why = f"was silent for {seconds:g} s"
    except subprocess.CalledProcessError as error:
        why = f"ended with {error.returncode}"
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        why = f"said nothing of use ({error!r})"
    return Encoder(None, f"{SOFTWARE}, for the trial of graphics hardware {why}")


def log_encoder(encoder: Encoder, choice: EncoderChoice) -> None:
    """Say it once; louder where hardware is wanted and none works."""
    missed = choice == "hardware" and encoder.hardware is None
    _log.log(logging.WARNING if missed else logging.INFO, "videos are encoded by %s", encoder.text)


def _told(document: Mapping[str, object]) -> Encoder:
    hardware, flaws = document["hardware"], document["flaws"]
    if isinstance(hardware, str):
        return Encoder(hardware, f"{hardware}; {SOFTWARE} for what it cannot do")
    reasons = "; ".join(f"{codec}: {flaw}" for codec, flaw in dict(flaws).items())  # type: ignore[call-overload]
    return Encoder(None, f"{SOFTWARE}, for no graphics hardware works ({reasons})")
