"""The tensors of a checkpoint by name, and nothing else of it: no code of the file's choice ever runs."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from services.errors import ChorusError, ErrorKind
from services.importing.containers import Container, damaged, short
from services.importing.torchscript import read_torchscript

_NESTED: Final = ("state_dict", "model_state_dict", "generator", "model", "net")
"""Where trainers put the weights beside the state of their optimisers"""
_PREFIXES: Final = ("module.", "_orig_mod.", "model.", "generator.")
_MOST_NUMBERS: Final = 500_000_000


def read_weights(path: Path, container: Container, name: str) -> dict[str, Tensor]:
    """float32 tensors by name, without prefixes such as `module.`; INVALID_INPUT says what is wrong with `name`."""
    found = read_tensors(path, container, name)
    if sum(tensor.numel() for tensor in found.values()) > _MOST_NUMBERS:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-packed", name=name)
    check_finite(found, name)
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in found.items()}


def read_tensors(path: Path, container: Container, name: str, *, mapped: bool = False) -> dict[str, Tensor]:
    """The same as they lie in the file; `mapped`: they stay on the disk until somebody needs them."""
    if container is Container.SAFETENSORS:
        found = _safetensors(path, name)
    elif container is Container.TORCHSCRIPT:
        found = read_torchscript(path, name)
    else:
        found = _tensors(_pickled(path, name, mapped=mapped and is_zipfile(path)), name)
    return _without_prefix(found)


def check_finite(tensors: Mapping[str, Tensor], name: str) -> None:
    """INVALID_INPUT when one of them holds what is no number."""
    for key, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ChorusError(ErrorKind.INVALID_INPUT, "import-not-finite", name=name, key=key)


def _safetensors(path: Path, name: str) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise damaged(name, error) from error


def _pickled(path: Path, name: str, *, mapped: bool) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        # torch says so when a file asks for anything but tensors and plain containers.
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-unsafe", name=name, reason=_asked_for(error)) from error
    except (RuntimeError, ValueError, KeyError, EOFError, OSError, TypeError, AttributeError, IndexError) as error:
        raise damaged(name, error) from error


def _asked_for(error: Exception) -> str:
    """What the file wanted to run, out of torch's long sentence."""
    words = [word.strip("`'\".,:") for word in str(error).split()]
    return next((words[place + 1] for place, word in enumerate(words[:-1]) if word == "GLOBAL"), short(error))


def _tensors(loaded: Any, name: str) -> dict[str, Tensor]:
    """The flat mapping of tensors in what a trainer saved."""
    for _ in range(3):
        if not isinstance(loaded, Mapping):
            break
        found = {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}
        if found:
            return found
        loaded = next((loaded[key] for key in _NESTED if key in loaded), None)
    raise ChorusError(ErrorKind.INVALID_INPUT, "import-no-tensors", name=name)


def _without_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The names without what all of them begin with."""
    names = dict(tensors)
    while prefix := next((each for each in _PREFIXES if all(key.startswith(each) for key in names)), None):
        names = {key.removeprefix(prefix): value for key, value in names.items()}
        if not names:
            break
    return names
