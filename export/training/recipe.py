"""The recipe from nothing to weights: synthesise, learn, place the words of natural recordings, learn from both."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch

from export.speech_to_mouth import build
from export.training.corpus import Shard, joined, load, rest, shard, synthetic
from export.training.fit import Portion, Schedule, fit
from export.training.labelling import class_priors, credible, labelled
from export.training.natural import letters, stamps
from export.training.network import TrainedNet, save_served, start_from
from export.training.sound import Samples, read

Say = Callable[[str], None]

HELD_OUT_MUSIC: Final = 1
"""The last piece of music is for evaluation"""
_SHARDS: Final = 8
_ESPEAK_SENTENCES: Final = 450
_FLITE_SENTENCES: Final = 500
"""Of each synthetic shard: about 75 minutes"""
_REST_PIECES: Final = 240
_COPIES: Final = 2
"""How often every natural recording is there, each time at another speed and in another room"""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the sounds lie that no program makes."""

    stamps: Path
    """tuxpaint/stamps of the Debian package tuxpaint-stamps-default"""
    letters: Path
    """klettres of the Debian package klettres-data"""
    music: Path
    """Folder of the Debian package asterisk-moh-opsound-g722"""
    start: Path | None
    """Weights to continue from; None begins with random ones"""


@dataclass(frozen=True, slots=True)
class Effort:
    """Steps of the fit before and after the natural recordings are placed; .2-.4 s of one core each."""

    synthetic_steps: int = 1500
    all_steps: int = 14000
    seed: int = 1


def train(folder: Path, sources: Sources, effort: Effort, say: Say) -> Path:
    """Fill `folder`, taking up what an earlier run left there; gives the ONNX file, beside it the weights."""
    torch.manual_seed(effort.seed)
    folder.mkdir(parents=True, exist_ok=True)
    made, resting = _synthetic(folder, sources, effort.seed, say)
    net = TrainedNet()
    if sources.start is not None:
        start_from(net, sources.start)
    first = folder / "synthetic.pt"
    if not first.exists():
        portions = [Portion(made, 7), Portion(resting, 1)]
        _learn(net, portions, Schedule(effort.synthetic_steps, 1.5e-3), effort.seed, first, say)
    net.load_state_dict(torch.load(first))
    natural = _natural(folder, sources, net, class_priors(made), effort.seed, say)
    portions = [Portion(made, 13), Portion(natural, 9), Portion(resting, 2)]
    _learn(net, portions, Schedule(effort.all_steps, 1.5e-3), effort.seed + 1, folder / "all.pt", say)
    return finish(net, folder)


def finish(net: TrainedNet, folder: Path) -> Path:
    """The weights as the export reads them, and the served model."""
    weights, model = folder / "speech_to_mouth.npz", folder / "speech_to_mouth.onnx"
    save_served(net, weights)
    onnx.save(build(weights), model)
    return model


def music_of(folder: Path) -> list[Path]:
    """All pieces, the held-out one last."""
    return sorted(folder.rglob("*.g722"))


def _learn(net: TrainedNet, portions: list[Portion], schedule: Schedule, seed: int, path: Path, say: Say) -> None:
    def report(step: int, line: str) -> None:
        say(f"{path.stem} {step}/{schedule.steps}: {line}")

    fit(net, portions, schedule, seed, report)
    torch.save(net.state_dict(), path)


def _synthetic(folder: Path, sources: Sources, seed: int, say: Say) -> tuple[Shard, Shard]:
    music = _music(sources)
    paths = [folder / f"synthetic-{number}.npz" for number in range(_SHARDS)]
    for number, path in enumerate(paths):
        own = 1000 * seed + number
        _once(path, partial(_synthetic_shard, folder / f"scratch-{number}", own, music), say)
    resting = folder / "rest.npz"
    _once(resting, partial(rest, seed, music, _REST_PIECES), say)
    return load(paths), load([resting])


def _synthetic_shard(scratch: Path, seed: int, music: list[Samples]) -> Shard:
    scratch.mkdir(exist_ok=True)
    try:
        return shard(synthetic(seed, _ESPEAK_SENTENCES, _FLITE_SENTENCES, scratch), seed, music)
    finally:
        shutil.rmtree(scratch)


def _natural(
    folder: Path, sources: Sources, net: TrainedNet, priors: np.typing.NDArray[np.float32], seed: int, say: Say
) -> Shard:
    path = folder / "natural.npz"

    def make() -> Shard:
        net.eval()
        items = credible(labelled(chain(stamps(sources.stamps), letters(sources.letters)), net, priors))
        order = np.random.default_rng(seed).permutation(len(items))
        mixed = [items[index] for index in order]
        return joined(shard(mixed, 5000 + copy, _music(sources)) for copy in range(_COPIES))

    _once(path, make, say)
    return load([path])


def _once(path: Path, make: Callable[[], Shard], say: Say) -> None:
    if path.exists():
        return
    made = make()
    made.save(path)
    say(f"{path.name}: {made.minutes:.0f} minutes")


def _music(sources: Sources) -> list[Samples]:
    return [read(path) for path in music_of(sources.music)[:-HELD_OUT_MUSIC]]
