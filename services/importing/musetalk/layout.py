"""Which files of a folder are a MuseTalk: its three configs, told by what they say, and the weights beside each.

Needs no torch, and opens nothing but small JSON files that lie within the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from services.errors import ChorusError, ErrorKind
from services.importing.containers import short

_MOST_CONFIG: Final = 64 << 10
"""Bytes; a real one has two thousand"""
_MOST_ENTRIES: Final = 2000
_DEPTH: Final = 3
"""As MuseTalk/models/sd-vae/config.json"""
_WEIGHTS: Final = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
_PLAIN_NAMES: Final = ("config.json", "musetalk.json")
_FIRST_RELEASE: Final = "pytorch_model"
"""What MuseTalk 1.0 calls its UNet: its config and the shapes of its tensors are those of 1.5, nothing else tells"""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the three nets: what its config says, and its weights."""

    name: str
    """Of its weights, for refusals"""
    config: Mapping[str, Any]
    weights: Path


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole MuseTalk."""

    unet: Part
    vae: Part
    whisper: Part

    @property
    def files(self) -> tuple[Path, ...]:
        """The weights."""
        return (self.unet.weights, self.vae.weights, self.whisper.weights)


@dataclass(slots=True)
class _Found:
    """What a walk through a folder has seen."""

    configs: list[tuple[Path, Mapping[str, Any]]] = field(default_factory=list)
    weights: dict[Path, list[Path]] = field(default_factory=dict)
    """By their folder"""
    outside: list[Path] = field(default_factory=list)
    """Links that lead out of the folder: nobody follows them"""


def layout_of(folder: Path, name: str) -> Layout:
    """The parts in `folder`, which refusals call `name`; INVALID_INPUT says what is missing, double or cannot be."""
    found = _look_through(folder, name)
    unets = [(path, config) for path, config in found.configs if "cross_attention_dim" in config]
    others = [(path, config) for path, config in found.configs if "cross_attention_dim" not in config]
    vaes = [(path, config) for path, config in others if "latent_channels" in config]
    whispers = [(path, config) for path, config in others if config.get("model_type") == "whisper"]
    return Layout(
        _the_unet(unets, found, folder, name),
        _the_only(vaes, "sd-vae", found, folder, name),
        _the_only(whispers, "whisper", found, folder, name),
    )


def _look_through(folder: Path, name: str) -> _Found:
    found = _Found()
    for number, path in enumerate(_walk(folder, folder.resolve(), found.outside, _DEPTH)):
        if number >= _MOST_ENTRIES:
            raise ChorusError(ErrorKind.INVALID_INPUT, "import-folder-crowded", name=name, most=_MOST_ENTRIES)
        if path.suffix.lower() in _WEIGHTS:
            found.weights.setdefault(path.parent, []).append(path)
        elif path.suffix.lower() == ".json":
            called = f"{name}/{path.relative_to(folder)}"
            config = _config(path, called)
            if config is not None:
                found.configs.append((path, config))
    return found


def _walk(folder: Path, root: Path, outside: list[Path], depth: int) -> Iterator[Path]:
    """The files within `root`, in the order of their names; what leads out of it goes into `outside`."""
    with os.scandir(folder) as entries:
        paths = sorted(Path(entry.path) for entry, _ in zip(entries, range(_MOST_ENTRIES + 1), strict=False))
    for path in paths:
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            outside.append(path)
        elif path.is_file():
            yield path
        elif depth > 1 and path.is_dir() and not path.is_symlink():
            yield from _walk(path, root, outside, depth - 1)


def _config(path: Path, name: str) -> Mapping[str, Any] | None:
    """What a JSON file says; None where it is none of ours, as a vocabulary."""
    if path.stat().st_size > _MOST_CONFIG:
        if path.name in _PLAIN_NAMES:
            raise ChorusError(ErrorKind.INVALID_INPUT, "import-config-unreadable", name=name, reason="over 64 KiB")
        return None
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        if path.name in _PLAIN_NAMES:
            raise ChorusError(
                ErrorKind.INVALID_INPUT, "import-config-unreadable", name=name, reason=short(error)
            ) from error
        return None
    return said if isinstance(said, dict) else None


def _the_unet(configs: list[tuple[Path, Mapping[str, Any]]], found: _Found, folder: Path, name: str) -> Part:
    """That of 1.5: one of 1.0 beside it is left alone, and refused where it stands alone."""
    first = [
        (path, config)
        for path, config in configs
        if (beside := found.weights.get(path.parent)) and all(each.stem == _FIRST_RELEASE for each in beside)
    ]
    newer = [each for each in configs if each not in first]
    if first and not newer:
        called = str(first[0][0].parent.relative_to(folder.parent))
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-musetalk-first", name=name, path=called)
    return _the_only(newer, "musetalkV15", found, folder, name)


def _the_only(configs: list[tuple[Path, Mapping[str, Any]]], part: str, found: _Found, folder: Path, name: str) -> Part:
    """The one that has weights beside its config; INVALID_INPUT when there are none or several."""
    held = [(path, config) for path, config in configs if found.weights.get(path.parent)]
    if not held:
        if found.outside:
            link = str(found.outside[0].relative_to(folder))
            raise ChorusError(ErrorKind.INVALID_INPUT, "import-folder-link", name=name, path=link, part=part)
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-folder-lacks", name=name, part=part)
    if len(held) > 1:
        places = ", ".join(str(config.relative_to(folder)) for config, _ in held)
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-folder-twice", name=name, part=part, places=places[:300])
    path, config = held[0]
    weights = _one_of(found.weights[path.parent], part, folder, name)
    return Part(f"{name}/{weights.relative_to(folder)}", config, weights)


def _one_of(weights: list[Path], part: str, folder: Path, name: str) -> Path:
    """Of the same weights in several forms the safest."""
    safe = [path for path in weights if path.suffix.lower() == ".safetensors"]
    choice = safe or weights
    if len(choice) > 1:
        places = ", ".join(str(path.relative_to(folder)) for path in choice)
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-folder-twice", name=name, part=part, places=places[:300])
    return choice[0]
