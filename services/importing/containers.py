"""What kind of file a checkpoint is, by its first bytes and its table of contents; nothing of its content is run."""

from __future__ import annotations

import struct
import zipfile
from enum import StrEnum
from pathlib import Path
from typing import Final

from services.errors import ChorusError, ErrorKind

LEAST_BYTES: Final = 64
MOST_BYTES: Final = 3 << 30
"""A training state of the largest net known, three times its weights"""
_MOST_MEMBERS: Final = 20_000
_MOST_PICKLE: Final = 64 << 20
"""Bytes of the part that says what the tensors are; a real one has some hundred kB"""
_PICKLES: Final = ("data.pkl", "constants.pkl")
_SAFETENSORS_HEADER: Final = 100_000_000
_ONNX_START: Final = 0x08
"""The field ir_version, which every exporter writes first"""


class Container(StrEnum):
    """The forms in which checkpoints travel."""

    PYTORCH = "PyTorch"
    TORCHSCRIPT = "TorchScript"
    SAFETENSORS = "safetensors"
    ONNX = "ONNX"


def container_of(path: Path, name: str, *, most_bytes: int = MOST_BYTES) -> Container:
    """The form of the file at `path`; INVALID_INPUT for no file, a size that cannot be right, or anything else."""
    if not path.is_file():
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-no-file", name=name)
    size = path.stat().st_size
    if not LEAST_BYTES <= size <= most_bytes:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-size", name=name, size=size, most=most_bytes >> 20)
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(b"PK\x03\x04"):
        return _archive(path, name, size)
    if start[0] == 0x80 and start[1] in (2, 3, 4, 5):
        return Container.PYTORCH  # as torch wrote it before 1.6: pickles, one behind the other
    if _is_safetensors(start, size, name):
        return Container.SAFETENSORS
    if start[0] == _ONNX_START and 3 <= start[1] <= 30:
        return Container.ONNX
    raise ChorusError(ErrorKind.INVALID_INPUT, "import-unknown-format", name=name)


def _archive(path: Path, name: str, size: int) -> Container:
    """PyTorch never compresses weights, so that what they claim to be is bounded by the file.

    TorchScript's program may be compressed; nobody reads it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
        raise damaged(name, error) from error
    files = {member.filename.partition("/")[2]: member for member in members}
    read = [member for inner, member in files.items() if inner.startswith("data/") or inner in _PICKLES]
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in read)
    if not stored or len(members) > _MOST_MEMBERS or sum(member.file_size for member in read) > size:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-packed", name=name)
    if "data.pkl" not in files:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-unknown-format", name=name)
    if any(files[each].file_size > _MOST_PICKLE for each in _PICKLES if each in files):
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-packed", name=name)
    return Container.TORCHSCRIPT if "constants.pkl" in files else Container.PYTORCH


def _is_safetensors(start: bytes, size: int, name: str) -> bool:
    """The length of a JSON header, and the header; a length that cannot be is refused before anything is read."""
    (header,) = struct.unpack("<Q", start[:8])
    if start[8:9] != b"{":
        return False
    if header > min(_SAFETENSORS_HEADER, size - 8):
        raise damaged(name, f"a header of {header} bytes")
    return True


def damaged(name: str, reason: object) -> ChorusError:
    """The refusal of a file whose bytes do not hold together."""
    return ChorusError(ErrorKind.INVALID_INPUT, "import-damaged", name=name, reason=short(reason))


def short(reason: object) -> str:
    """The first line of what a library said, not too long."""
    return (str(reason).strip() or type(reason).__name__).partition("\n")[0][:200]
