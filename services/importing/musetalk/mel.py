"""Whisper's log-mel as layers: the frames' spectra by one convolution, so that it lies inside the served graph."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

_RATE, _WINDOW, _HOP, _BANDS = 16_000, 400, 160, 80
_LINEAR_END, _LINEAR_STEP = 1000.0, 200 / 3
"""Slaney's scale: 15 mels of 66.7 Hz, above them 27 to a factor of 6.4"""
_OCTAVES = np.log(6.4) / 27


class LogMel(nn.Module):  # type: ignore[misc]  # mypy runs without torch
    """(n, 480000) samples in -1..1 -> (n, 80, 3000), as WhisperFeatureExtractor gives it.

    Bands of 80 dB below the loudest of a recording and quieter are all the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("waves", torch.from_numpy(_waves())[:, None])
        self.register_buffer("filters", torch.from_numpy(_filters()))

    def forward(self, samples: Tensor) -> Tensor:
        """See the class."""
        padded = functional.pad(samples[:, None], (_WINDOW // 2, _WINDOW // 2), mode="reflect")
        parts = functional.conv1d(padded, self.waves, stride=_HOP)[:, :, :-1]
        bins = _WINDOW // 2 + 1
        power = parts[:, :bins] ** 2 + parts[:, bins:] ** 2
        loud = torch.matmul(self.filters, power).clamp(min=1e-10).log10()
        most = loud.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(loud, most - 8) + 4) / 4


def _waves() -> NDArray[np.float32]:
    """(402, 400): cosines and sines of the frequencies of a frame, under a Hann window."""
    time = np.arange(_WINDOW)
    angles = 2 * np.pi * np.outer(np.arange(_WINDOW // 2 + 1), time) / _WINDOW
    window = (1 - np.cos(2 * np.pi * time / _WINDOW)) / 2
    return np.asarray(np.concatenate([np.cos(angles), np.sin(angles)]) * window, np.float32)


def _filters() -> NDArray[np.float32]:
    """(80, 201): triangles of equal area, equally far apart on Slaney's scale up to 8 kHz."""
    hertz = np.linspace(0, _RATE / 2, _WINDOW // 2 + 1)
    top = _LINEAR_END / _LINEAR_STEP + np.log(_RATE / 2 / _LINEAR_END) / _OCTAVES
    mels = np.linspace(0, top, _BANDS + 2)
    bend = _LINEAR_END / _LINEAR_STEP
    edges = np.where(mels < bend, mels * _LINEAR_STEP, _LINEAR_END * np.exp(_OCTAVES * (mels - bend)))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle))
    return np.asarray(np.maximum(0, triangles) * (2 / (high - low)), np.float32)
