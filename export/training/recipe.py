"""The recipe from nothing to weights: synthesise, narrate, place the phones of what is known only as words, learn."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch

from export import speech_features, speech_to_mouth, whisper
from export.sources import opened, source_of
from export.training import narration
from export.training.corpus import Shard, Spoken, joined, load, rest, shard, synthetic
from export.training.fit import Portion, Say, Schedule, fit
from export.training.hearing import Encode
from export.training.kokoro import Kokoro
from export.training.narration import Narration, narrate
from export.training.network import TrainedNet, encoder, save_served
from export.training.sound import Samples, read

ROOT: Final = Path(__file__).parents[2]
HELD_OUT_MUSIC: Final = 1
"""The last piece of music is for evaluation"""
_SHARDS: Final = 2
_ESPEAK_SENTENCES: Final = 450
_FLITE_SENTENCES: Final = 500
"""Of each synthetic shard: about 75 minutes"""
_NARRATIONS: Final = 14
"""Not quite 4 minutes each"""
_REST_PIECES: Final = 240
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


@dataclass(frozen=True, slots=True)
class Effort:
    """Steps of the fit, about .2 s of one core each."""

    steps: int = 8000
    seed: int = 1


def train(folder: Path, sources: Sources, effort: Effort, say: Say) -> list[Path]:
    """Fill `folder`, taking up what an earlier run left there; gives the two ONNX files, beside them the weights."""
    torch.manual_seed(effort.seed)
    folder.mkdir(parents=True, exist_ok=True)
    music = [read(path) for path in music_of(sources.music)[:-HELD_OUT_MUSIC]]
    with opened(source_of("speech_features"), ROOT) as weights:
        encode = encoder(whisper.load(weights))
        made, resting = _synthetic(folder, music, encode, effort.seed, say)
        told = _narrations(folder, sources, effort.seed, say)
        spoken = _disturbed(folder / "spoken.npz", told, music, encode, effort.seed, say)
        net = TrainedNet()
        portions = [Portion(made, 11), Portion(spoken, 10), Portion(resting, 3)]
        fit(net, portions, Schedule(effort.steps, 1.5e-3), effort.seed, say, folder / "fit.pt")
        return _finish(net, folder, weights)


def _finish(net: TrainedNet, folder: Path, whisper_weights: Path) -> list[Path]:
    weights = folder / "speech_to_mouth.npz"
    save_served(net, weights)
    models = {
        "speech_features": speech_features.build(whisper_weights, weights),
        "speech_to_mouth": speech_to_mouth.build(weights),
    }
    for name, model in models.items():
        onnx.save(model, folder / f"{name}.onnx")
    return [folder / f"{name}.onnx" for name in models]


def music_of(folder: Path) -> list[Path]:
    """All pieces, the held-out one last."""
    return sorted(folder.rglob("*.g722"))


def _synthetic(folder: Path, music: list[Samples], encode: Encode, seed: int, say: Say) -> tuple[Shard, Shard]:
    paths = [folder / f"synthetic-{number}.npz" for number in range(_SHARDS)]
    for number, path in enumerate(paths):
        own = 1000 * seed + number
        _once(path, partial(_synthetic_shard, folder / f"scratch-{number}", own, music, encode), say)
    resting = folder / "rest.npz"
    _once(resting, partial(rest, seed, music, _REST_PIECES, encode), say)
    return load(paths), load([resting])


def _synthetic_shard(scratch: Path, seed: int, music: list[Samples], encode: Encode) -> Shard:
    scratch.mkdir(exist_ok=True)
    try:
        return shard(synthetic(seed, _ESPEAK_SENTENCES, _FLITE_SENTENCES, scratch), seed, music, encode)
    finally:
        shutil.rmtree(scratch)


def _narrations(folder: Path, sources: Sources, seed: int, say: Say) -> list[Spoken]:
    """What Kokoro said, where its phones could be placed."""
    paths = [folder / f"narration-{number}.npz" for number in range(_NARRATIONS)]
    if not all(path.exists() for path in paths):
        kokoro = Kokoro(sources.kokoro, torch.get_num_threads())
        for number, path in enumerate(paths):
            _once(path, partial(narrate, kokoro, sources.wordnet, 1000 * seed + number), say)
    return [item for path in paths for item in narration.load(path).spoken()]


def _disturbed(path: Path, items: list[Spoken], music: list[Samples], encode: Encode, seed: int, say: Say) -> Shard:
    """Every item so often, in another order each time."""

    def make() -> Shard:
        order = np.random.default_rng(seed).permutation(len(items))
        mixed = [items[index] for index in order]
        return joined(shard(mixed, 5000 * seed + copy, music, encode) for copy in range(_COPIES))

    _once(path, make, say)
    return load([path])


def _once(path: Path, make: Callable[[], Shard | Narration], say: Say) -> None:
    if path.exists():
        return
    made = make()
    made.save(path)
    say(f"{path.name}: {made.minutes:.0f} minutes")
