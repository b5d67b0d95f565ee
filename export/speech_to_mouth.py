"""speech_to_mouth: our convolutional net from log-mel speech to eight mouth coefficients, 80 columns a second."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.torch_to_onnx import trace

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
    """The net as it is served: batch norms are folded into the convolutions. It sees 0.45 s to either side."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Conv1d(BANDS, WIDTH, 5, padding=2)
        self.blocks = nn.ModuleList([Block(dilation) for dilation in DILATIONS])
        self.scale = nn.Parameter(torch.ones(WIDTH, 1))
        self.shift = nn.Parameter(torch.zeros(WIDTH, 1))
        self.hidden = nn.Conv1d(WIDTH, WIDTH, 1)
        self.head = nn.Conv1d(WIDTH, len(COEFFICIENTS), 1)

    def forward(self, mel: Tensor) -> Tensor:
        """Log-mel (batch, 80, columns) of +-4 -> coefficients (batch, 8, columns) in 0..1."""
        features = functional.gelu(self.lift(mel / 4))
        for block in self.blocks:
            features = block(features)
        features = functional.gelu(features * self.scale + self.shift)
        return torch.sigmoid(self.head(functional.gelu(self.hidden(features))))


def load(source: Path) -> SpeechToMouth:
    """The net with the weights of a .npz file whose names are those of the module's parameters."""
    net = SpeechToMouth()
    with np.load(source) as weights:
        net.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    net.eval()
    return net


def build(source: Path) -> onnx.ModelProto:
    """The served model from the weights file."""
    mel = torch.zeros(2, BANDS, 100)
    free = {2: "columns"}
    return trace(load(source), {"mel": mel}, ["coefficients"], {"mel": free, "coefficients": free})
