"""speech_to_mouth: our convolutional net from speech to eight mouth coefficients, 80 columns a second."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.speech_features import FEATURES
from export.torch_to_onnx import trace
from export.trained import trained

COEFFICIENTS: Final = ("jaw", "close", "wide", "round", "upper", "lower", "fv", "tongue")
BANDS: Final = 80
WIDTH: Final = 128
DILATIONS: Final = (1, 1, 2, 2, 4, 4, 2, 1)


class Block(nn.Module):  # type: ignore[misc]
    """Looks sideways in time in four groups of channels, then mixes the channels; added to its input."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.time = nn.Conv1d(WIDTH, WIDTH, 5, padding=2 * dilation, dilation=dilation, groups=4)
        self.mix = nn.Conv1d(WIDTH, WIDTH, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, 128, columns) -> the same shape."""
        return features + self.mix(functional.gelu(self.time(features)))


class SpeechToMouth(nn.Module):  # type: ignore[misc]
    """Hears the sound itself (log-mel) for its timing, and what is said (features) for its meaning; 0.45 s each way."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Conv1d(BANDS, WIDTH, 5, padding=2)
        self.lift_features = nn.Conv1d(FEATURES, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList([Block(dilation) for dilation in DILATIONS])
        self.hidden = nn.Conv1d(WIDTH, WIDTH, 1)
        self.head = nn.Conv1d(WIDTH, len(COEFFICIENTS), 1)

    def forward(self, mel: Tensor, features: Tensor) -> Tensor:
        """Log-mel (batch, 80, columns) of +-4, features (batch, 64, columns) -> (batch, 8, columns) in 0..1."""
        return torch.sigmoid(self.logits(self.hear(mel, features)))

    def hear(self, mel: Tensor, features: Tensor) -> Tensor:
        """(batch, 128, columns), from which every head starts."""
        heard = functional.gelu(self.lift(mel / 4) + self.lift_features(features))
        for block in self.blocks:
            heard = block(heard)
        return functional.gelu(heard)

    def logits(self, heard: Tensor) -> Tensor:
        """(batch, 8, columns) before the sigmoid."""
        return self.head(functional.gelu(self.hidden(heard)))


def load(source: Path) -> SpeechToMouth:
    """The net with the trained weights."""
    net = SpeechToMouth()
    net.load_state_dict(trained(source, "mouth"))
    net.eval()
    return net


def build(source: Path) -> onnx.ModelProto:
    """The served model from the weights file."""
    inputs = {"mel": torch.zeros(2, BANDS, 100), "features": torch.zeros(2, FEATURES, 100)}
    return trace(load(source), inputs, ["coefficients"], {name: {2: "columns"} for name in (*inputs, "coefficients")})
