"""What computes each model: the embedded Triton leaves a file for each one that it has loaded; read anew each time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Engine:
    """How one model is computed."""

    runtime: str
    """The library and its version, as `ONNX Runtime 1.31.1`"""
    device: str
    """CPU, CUDA, TensorRT or OpenVINO: the first that the library took"""
    precision: str
    """Of the net's numbers, as `float32` or `int8`"""

    @property
    def text(self) -> str:
        """For a person."""
        return f"{self.runtime}, {self.device}, {self.precision}"


class Engines:
    """The loaded models' engines; knows none where Triton runs elsewhere."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def look_in(self, folder: Path | None) -> None:
        """Said once by each process's composition root; None: nothing is known."""
        self._folder = folder

    def all(self) -> dict[str, Engine]:
        """By the model's name; a file that cannot be read is left out, for it says little and may be just going."""
        if self._folder is None:
            return {}
        found = ((path.stem, _read(path)) for path in sorted(self._folder.glob("*.json")))
        return {name: engine for name, engine in found if engine is not None}

    def text_of(self, models: Iterable[str]) -> str:
        """The engines of these models, each once; empty when nothing is known of any."""
        known = self.all()
        return "; ".join(dict.fromkeys(known[model].text for model in models if model in known))


def _read(path: Path) -> Engine | None:
    try:
        return Engine(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


ENGINES: Final = Engines()
