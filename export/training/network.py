"""The net as it is trained: the served one, with a second head that names the phone and keeps the features honest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.speech_to_mouth import WIDTH, SpeechToMouth
from export.training.phones import CLASSES


class TrainedNet(nn.Module):  # type: ignore[misc]
    """`served` is what the export takes; the phone head stays behind, but aligns natural recordings."""

    def __init__(self) -> None:
        super().__init__()
        self.served = SpeechToMouth()
        self.phone = nn.Conv1d(WIDTH, len(CLASSES), 1)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel (batch, 80, columns) -> logits: coefficients (batch, 8, columns), phones (batch, 47, columns)."""
        served = self.served
        features = functional.gelu(served.lift(mel / 4))
        for block in served.blocks:
            features = block(features)
        features = functional.gelu(features * served.scale + served.shift)
        return served.head(functional.gelu(served.hidden(features))), self.phone(features)


def save_served(net: TrainedNet, path: Path) -> None:
    """The weights as export.speech_to_mouth.load reads them."""
    np.savez(path, **{name: weight.detach().float().numpy() for name, weight in net.served.state_dict().items()})


def start_from(net: TrainedNet, path: Path) -> None:
    """Continue from weights that save_served wrote."""
    with np.load(path) as weights:
        net.served.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})


def mix_in(net: TrainedNet, path: Path, share: float) -> None:
    """Move the served weights by `share` of the way to those of `path`."""
    with np.load(path) as weights:
        for name, weight in net.served.state_dict().items():
            weight.lerp_(torch.from_numpy(weights[name]), share)
