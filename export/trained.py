"""The weights that docs/training.md makes, one file for the two models that were trained together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

WEIGHTS: Final = Path(__file__).with_name("weights") / "speech_to_mouth.npz"


def trained(path: Path, part: str) -> dict[str, Tensor]:
    """The weights of one part, under the names of its module's parameters."""
    start = f"{part}."
    with np.load(path) as weights:
        return {name.removeprefix(start): torch.from_numpy(weights[name]) for name in weights if name.startswith(start)}


def save(path: Path, **parts: nn.Module) -> None:
    """Write parts as `trained` reads them."""
    weights = {
        f"{part}.{name}": weight.detach().float().numpy()
        for part, module in parts.items()
        for name, weight in module.state_dict().items()
    }
    np.savez(path, **weights)
