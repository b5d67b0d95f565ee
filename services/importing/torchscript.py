"""The tensors of a TorchScript archive without its program: torch itself would have to compile that to get at them."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import torch
from torch import Tensor

from services.errors import ChorusError, ErrorKind
from services.importing.containers import damaged

_STORAGES: Final = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}
_DEEPEST: Final = 30


class _Module:
    """Stands for every class of the archive: its state stays the plain dictionary that it is."""

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Storage(str):
    """The name of a storage's type, as the pickle gives it."""


def read_torchscript(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors by the path of their attributes; INVALID_INPUT when the archive asks for anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            top = archive.namelist()[0].partition("/")[0]
            with archive.open(f"{top}/data.pkl") as file:
                root = _Reader(file, archive, top, name).load()
    except ChorusError:
        raise
    except Exception as error:  # whatever a pickle made by hand can bring about
        raise damaged(name, error) from error
    found: dict[str, Tensor] = {}
    _collect(root, "", found, _DEEPEST)
    if not found:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-no-tensors", name=name)
    return found


class _Reader(pickle.Unpickler):
    """Knows tensors, plain containers, and the archive's own classes as _Module; refuses every other name."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, top: str, name: str) -> None:
        super().__init__(file)
        self._archive, self._top, self._name = archive, top, name

    def find_class(self, module: str, name: str) -> Any:
        """What a name of the pickle stands for."""
        if module.startswith("__torch__"):
            return _Module
        if module == "torch" and name in _STORAGES:
            return _Storage(name)
        known: dict[tuple[str, str], Callable[..., object]] = {
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("collections", "OrderedDict"): OrderedDict,
            ("torch.jit._pickle", "build_intlist"): list,
            ("torch.jit._pickle", "build_boollist"): list,
            ("torch.jit._pickle", "build_doublelist"): list,
            ("torch.jit._pickle", "restore_type_tag"): lambda value, tag: value,
        }
        if (module, name) not in known:
            asked = f"{module}.{name}"
            raise ChorusError(ErrorKind.INVALID_INPUT, "import-unsafe", name=self._name, reason=asked)
        return known[module, name]

    def persistent_load(self, pid: Any) -> Tensor:
        """The numbers of one storage, flat."""
        _, kind, key, _, count = pid
        content = self._archive.read(f"{self._top}/data/{int(key)}")
        flat = torch.frombuffer(bytearray(content), dtype=_STORAGES[kind])
        if len(flat) < count:
            raise ValueError(f"storage {key} is too short")
        return flat


def _tensor(flat: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    """A view; torch itself refuses one that reaches beyond the storage. Copied, so that strides do not matter."""
    return torch.as_strided(flat, size, stride, offset).clone()


def _collect(value: object, path: str, found: dict[str, Tensor], depth: int) -> None:
    if isinstance(value, Tensor):
        found[path.removeprefix(".")] = value
    state = value.state if isinstance(value, _Module) else value
    if isinstance(state, dict) and depth:
        for key, inner in state.items():
            _collect(inner, f"{path}.{key}", found, depth - 1)
