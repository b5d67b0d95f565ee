"""Fresh disturbances of mel batches at every step: other vocal tracts, other microphones, other noise floors."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional


def disturbed(mel: Tensor, chance: Generator) -> Tensor:
    """(batch, 80, columns) of +-4 -> the same, every row its own way."""
    mel = _other_tract(mel, chance)
    batch, bands, _ = mel.shape
    tilt = torch.randn(batch, 1, 1, generator=chance) * 0.35 * torch.linspace(-1, 1, bands).view(1, bands, 1)
    gain = torch.randn(batch, 1, 1, generator=chance) * 0.4
    mel = mel + tilt + gain + _ripple(batch, bands, chance)
    mel = mel + torch.randn(mel.shape, generator=chance) * 0.15 * torch.rand(batch, 1, 1, generator=chance)
    floor = -4 + 3 * torch.rand(batch, 1, 1, generator=chance) ** 2
    noisy = torch.maximum(mel, floor + 0.3 * torch.randn(mel.shape, generator=chance))
    mel = torch.where(torch.rand(batch, 1, 1, generator=chance) < 0.15, noisy, mel)
    return _masked(mel.clamp(-4, 4), chance)


def _other_tract(mel: Tensor, chance: Generator) -> Tensor:
    """The frequency axis stretched by up to 14 % and shifted by up to two bands."""
    batch, bands, columns = mel.shape
    stretch = 1 + 0.14 * (2 * torch.rand(batch, 1, generator=chance) - 1)
    shift = 2 * (2 * torch.rand(batch, 1, generator=chance) - 1)
    place = (torch.arange(bands).float()[None] * stretch + shift).clamp(0, bands - 1)
    low = place.floor().long().clamp(max=bands - 2)
    part = (place - low)[:, :, None]
    index = low[:, :, None].expand(-1, -1, columns)
    return torch.gather(mel, 1, index) * (1 - part) + torch.gather(mel, 1, index + 1) * part


def _ripple(batch: int, bands: int, chance: Generator) -> Tensor:
    knots = torch.randn(batch, 1, 8, generator=chance) * 0.35
    return functional.interpolate(knots, size=bands, mode="linear", align_corners=True).transpose(1, 2)


def _masked(mel: Tensor, chance: Generator) -> Tensor:
    """In three of ten rows a few bands hold their mean, so that no band is relied on alone."""
    for _ in range(2):
        first = int(torch.randint(0, mel.shape[1] - 8, (1,), generator=chance))
        count = int(torch.randint(1, 8, (1,), generator=chance))
        rows = torch.rand(mel.shape[0], generator=chance) < 0.3
        mel[rows, first : first + count] = mel[rows].mean(dim=(1, 2), keepdim=True)
    return mel
