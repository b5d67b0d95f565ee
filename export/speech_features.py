"""speech_features: what is being said, 64 numbers 50 times a second: Whisper's first layers and a projection."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import onnx
import torch
from torch import Tensor, nn

from export import whisper
from export.half_weights import halved
from export.torch_to_onnx import trace
from export.trained import WEIGHTS, trained

FEATURES: Final = 64


class Projection(nn.Module):  # type: ignore[misc]
    """The part of Whisper's frames that the mouth needs; trained together with speech_to_mouth."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(whisper.WIDTH)
        self.narrow = nn.Linear(whisper.WIDTH, FEATURES)

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, frames, 512) -> (batch, 64, frames)."""
        return self.narrow(self.norm(frames)).transpose(1, 2)


class SpeechFeatures(nn.Module):  # type: ignore[misc]
    """The net as it is served."""

    def __init__(self, layers: whisper.WhisperLayers, projection: Projection) -> None:
        super().__init__()
        self.layers = layers
        self.projection = projection

    def forward(self, samples: Tensor) -> Tensor:
        """Mono samples (batch, 320 frames) at 16 kHz, levelled to -23 dB -> (batch, 64, frames)."""
        return self.projection(self.layers(samples))


def load(source: Path, weights: Path = WEIGHTS) -> SpeechFeatures:
    """Whisper's layers from a CTranslate2 file, the projection from the trained weights."""
    net = SpeechFeatures(whisper.load(source), Projection())
    net.projection.load_state_dict(trained(weights, "projection"))
    net.eval()
    return net


def build(source: Path, weights: Path = WEIGHTS) -> onnx.ModelProto:
    """The served model; half precision holds Whisper's weights exactly, since they were published in it."""
    samples = torch.zeros(2, 40 * whisper.FRAME)
    axes = {"samples": {1: "samples"}, "features": {2: "frames"}}
    return halved(trace(load(source, weights), {"samples": samples}, ["features"], axes))
