"""The first layers of Whisper's encoder in torch: waveform in, what is being said out, 50 times a second."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Final

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

LAYERS: Final = 3
"""Of six: the sounds of speech are told apart there; later layers cost more and turn to words"""
WIDTH: Final = 512
FRAME: Final = 320
"""Samples at 16 kHz that give one frame; frame k is centred on sample 320 k"""
_HEADS: Final = 8
_BANDS: Final = 80
_WINDOW: Final = 400
_HOP: Final = 160
_LOUDEST: Final = 1.5
"""Decades. Whisper takes the loudest of its 30 s; speech levelled to -23 dB comes to this, wherever a piece is cut"""
_RANGE: Final = 8.0
_TYPES: Final = (np.float32, np.int8, np.int16, np.int32, np.float16)


class LogMel(nn.Module):  # type: ignore[misc]
    """Whisper's log-mel: 25 ms windows every 10 ms, eight decades, about -1..1."""

    def __init__(self) -> None:
        super().__init__()
        bins = _WINDOW // 2 + 1
        angles = 2 * np.pi * np.arange(bins)[:, None] * np.arange(_WINDOW) / _WINDOW
        window = np.hanning(_WINDOW + 1)[:-1]
        waves = np.concatenate([np.cos(angles) * window, np.sin(angles) * window])
        self.register_buffer("waves", torch.tensor(waves[:, None], dtype=torch.float32))
        self.register_buffer("filters", torch.tensor(librosa.filters.mel(sr=16_000, n_fft=_WINDOW, n_mels=_BANDS)))

    def forward(self, samples: Tensor) -> Tensor:
        """(batch, 320 frames) -> (batch, 80, 2 frames)."""
        padded = functional.pad(samples[:, None], (_WINDOW // 2, _WINDOW // 2 - _HOP))
        real, imaginary = functional.conv1d(padded, self.waves, stride=_HOP).chunk(2, dim=1)
        power = torch.matmul(self.filters, real * real + imaginary * imaginary)
        decades = torch.log10(power.clamp(min=10 ** (_LOUDEST - _RANGE)))
        return (decades + 4) / 4


class Layer(nn.Module):  # type: ignore[misc]
    """Attention over all frames, then a change of each frame by itself; both added to their input."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.queries_keys_values = nn.Linear(WIDTH, 3 * WIDTH)
        self.attended = nn.Linear(WIDTH, WIDTH)
        self.change_norm = nn.LayerNorm(WIDTH)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, frames, 512) -> the same shape."""
        heads = self.queries_keys_values(self.attention_norm(frames)).unflatten(-1, (3 * _HEADS, -1)).transpose(1, 2)
        queries, keys, values = heads.chunk(3, dim=1)
        shares = torch.softmax(queries @ keys.transpose(2, 3) / math.sqrt(WIDTH // _HEADS), dim=-1)
        frames = frames + self.attended((shares @ values).transpose(1, 2).flatten(2))
        return frames + self.narrow(functional.gelu(self.widen(self.change_norm(frames))))


class WhisperLayers(nn.Module):  # type: ignore[misc]
    """Log-mel, two convolutions, the frames' places, and the first layers."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = LogMel()
        self.first = nn.Conv1d(_BANDS, WIDTH, 3, padding=1)
        self.second = nn.Conv1d(WIDTH, WIDTH, 3, padding=1, stride=2)
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])

    def forward(self, samples: Tensor) -> Tensor:
        """Mono samples (batch, 320 frames) at 16 kHz, levelled to -23 dB -> (batch, frames, 512)."""
        sounds = functional.gelu(self.second(functional.gelu(self.first(self.mel(samples)))))
        frames = sounds.transpose(1, 2)
        frames = frames + _places(frames)
        for layer in self.layers:
            frames = layer(frames)
        return frames


def load(source: Path) -> WhisperLayers:
    """The layers with the weights of a CTranslate2 file of Whisper base."""
    stored = read_variables(source)
    weights = {}
    for place, name in _names().items():
        for ours, theirs in (("weight", ("weight", "gamma")), ("bias", ("bias", "beta"))):
            found = next(stored[f"encoder/{name}/{kind}"] for kind in theirs if f"encoder/{name}/{kind}" in stored)
            weights[f"{place}.{ours}"] = torch.from_numpy(found.astype(np.float32))
    layers = WhisperLayers()
    layers.load_state_dict(weights | {f"mel.{name}": buffer for name, buffer in layers.mel.named_buffers()})
    layers.eval()
    return layers


def read_variables(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a CTranslate2 model.bin (little-endian: version, kind, revision; then name, shape, type, bytes)."""
    content = path.read_bytes()
    place = 0

    def number(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{form}", content, place)
        place += struct.calcsize(form)
        return int(value)

    def text() -> str:
        nonlocal place
        length = number("H")
        place += length
        return content[place - length : place - 1].decode()

    number("I"), text(), number("I")
    variables: dict[str, NDArray[np.generic]] = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = np.dtype(_TYPES[number("B")]), number("I")
        variables[name] = np.frombuffer(content, kind, size // kind.itemsize, place).reshape(shape)
        place += size
    return variables


def _names() -> dict[str, str]:
    """Our modules and what the file calls them."""
    names = {"first": "conv1", "second": "conv2"}
    for layer in range(LAYERS):
        names |= {
            f"layers.{layer}.attention_norm": f"layer_{layer}/self_attention/layer_norm",
            f"layers.{layer}.queries_keys_values": f"layer_{layer}/self_attention/linear_0",
            f"layers.{layer}.attended": f"layer_{layer}/self_attention/linear_1",
            f"layers.{layer}.change_norm": f"layer_{layer}/ffn/layer_norm",
            f"layers.{layer}.widen": f"layer_{layer}/ffn/linear_0",
            f"layers.{layer}.narrow": f"layer_{layer}/ffn/linear_1",
        }
    return names


def _places(frames: Tensor) -> Tensor:
    """(1, frames, 512) sines and cosines of each frame's number."""
    slow = torch.exp(torch.arange(WIDTH // 2) * (-math.log(10_000) / (WIDTH // 2 - 1)))
    # Counted from the frames themselves, so that the traced graph takes any number of them.
    numbers = torch.ones_like(frames[:1, :, :1]).cumsum(dim=1) - 1
    return torch.cat([torch.sin(numbers * slow), torch.cos(numbers * slow)], dim=2)
