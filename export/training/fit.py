"""The fit: random windows of the shards, weighted squared errors of the coefficients and their motion, phones aside."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from export.training.corpus import Shard
from export.training.network import TrainedNet

COLUMNS: Final = 256
_WEIGHTS: Final = torch.tensor([3.0, 6.0, 1.0, 1.5, 1.5, 1.5, 6.0, 0.7]).view(1, 8, 1)
"""Squared errors: the absolute one regresses to the median, where the rare channels vanish"""
_WARM_UP: Final = 100
_REPORTED: Final = 250
"""Every so many steps the fit says how it goes, and keeps where it is"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Portion:
    """A shard and how much of each batch comes from it."""

    shard: Shard
    share: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast; training ends after `steps`."""

    steps: int
    learning_rate: float
    batch: int = 24
    phone_weight: float = 0.5


def fit(net: TrainedNet, portions: Sequence[Portion], schedule: Schedule, seed: int, say: Say, kept: Path) -> None:
    """Train in place, ending with the running mean of the weights; `kept` lets an interrupted fit go on."""
    chance = Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(net.parameters(), schedule.learning_rate, weight_decay=0.05)
    average: dict[str, Tensor] = {name: weight.clone() for name, weight in net.state_dict().items()}
    first = 0
    if kept.exists():
        state = torch.load(kept)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        chance.set_state(state["chance"])
        average, first = state["average"], state["step"]
    net.train()
    started, running = time.process_time(), 0.0
    for step in range(first, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, schedule)
        loss = _loss(net, *_batch(portions, schedule.batch, chance), schedule.phone_weight)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        _follow(average, net, step)
        running += (loss.item() - running) / min(step - first + 1, 100)
        if (step + 1) % _REPORTED == 0:
            seconds = (time.process_time() - started) / (step + 1 - first)
            say(f"step {step + 1} of {schedule.steps}: loss {running:.4f}, {seconds:.2f} s of one core a step")
            state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "chance": chance.get_state()}
            torch.save({**state, "average": average, "step": step + 1}, kept)
    net.load_state_dict(average)
    net.eval()


def _rate(step: int, schedule: Schedule) -> float:
    """A short warm-up, then half a cosine down to a fiftieth."""
    warm = min(1.0, (step + 1) / _WARM_UP)
    return schedule.learning_rate * warm * (0.51 + 0.49 * float(np.cos(np.pi * step / schedule.steps)))


def _follow(average: dict[str, Tensor], net: TrainedNet, step: int) -> None:
    """A running mean of the weights, which is what the fit ends with, beats the last step's."""
    share = max(0.005, 1 / (step + 1))
    for name, weight in net.state_dict().items():
        average[name].lerp_(weight, share)


def _batch(portions: Sequence[Portion], size: int, chance: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    total = sum(portion.share for portion in portions)
    mels, frames, wanted, labels = [], [], [], []
    for portion in portions:
        part = portion.shard
        count = round(size * portion.share / total)
        for eight in torch.randint(0, (len(part.classes) - COLUMNS) // 8, (count,), generator=chance).tolist():
            window = slice(8 * eight, 8 * eight + COLUMNS)
            heard = slice(5 * eight, 5 * eight + COLUMNS * 5 // 8 + 1)
            frames.append(torch.from_numpy(part.frames[:, heard].astype(np.float32)))
            mels.append(torch.from_numpy(part.mels[:, window].astype(np.float32)))
            wanted.append(torch.from_numpy(part.coefficients[:, window].astype(np.float32)))
            labels.append(torch.from_numpy(part.classes[window].astype(np.int64)))
    return torch.stack(mels), torch.stack(frames), torch.stack(wanted), torch.stack(labels)


def _loss(net: TrainedNet, mel: Tensor, frames: Tensor, wanted: Tensor, labels: Tensor, phone_weight: float) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        logits, phones = net(mel, frames)
    made = torch.sigmoid(logits.float())
    error = 5 * ((made - wanted) ** 2 * _WEIGHTS).mean()
    motion = 4 * ((made.diff(dim=2) - wanted.diff(dim=2)) ** 2 * _WEIGHTS).mean()
    return error + motion + phone_weight * functional.cross_entropy(phones.float(), labels)
