"""The nets that a family names, and what came of them, on the wire; only messages.py calls it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.preprocess.faces import LANDMARKS, SoundNet, SourceNet
from services.preprocess.v1 import preprocess_pb2 as wire

_MOST_ROWS: Final = 256
_MOST_SIDE: Final = 1024
_MOST_NAME: Final = 256


def sound_net_message(net: SoundNet | None) -> wire.SoundNet | None:
    """The net as it travels."""
    return wire.SoundNet(**asdict(net)) if net else None


def source_net_message(net: SourceNet | None) -> wire.SourceNet | None:
    """The net as it travels."""
    return wire.SourceNet(**asdict(net)) if net else None


def sound_net(message: wire.StreamFacesRequest) -> SoundNet | None:
    """The net that the request names, or None; INVALID_INPUT when nothing could be asked of it."""
    if not message.HasField("sound_net"):
        return None
    net = message.sound_net
    _check(_is_named(net) and 1 <= net.rows <= _MOST_ROWS and net.lead <= _MOST_ROWS, net.model)
    return SoundNet(net.model, net.identity, net.rows, net.lead)


def source_net(message: wire.StreamFacesRequest) -> SourceNet | None:
    """The net that the request names, or None; INVALID_INPUT when nothing could be asked of it."""
    if not message.HasField("source_net"):
        return None
    net = message.source_net
    sizes = 1 <= net.side <= _MOST_SIDE and 1 <= net.most_rows <= _MOST_ROWS and 0 <= net.below <= 1
    points = net.outline and net.middle and max(*net.outline, *net.middle) < LANDMARKS
    _check(bool(_is_named(net) and sizes and points and message.crop.pixels), net.model)
    outline, middle = tuple(net.outline), tuple(net.middle)
    return SourceNet(net.model, net.identity, net.side, net.most_rows, outline, middle, net.below)


def packed_halves(array: NDArray[np.float16] | None) -> bytes:
    """The array's bytes in C order, little-endian; nothing when there is none."""
    return b"" if array is None else array.astype("<f2", copy=False).tobytes()


def unpacked_halves(content: bytes, rows: int, shape: Sequence[int]) -> NDArray[np.float16] | None:
    """(rows, *shape), or None when there is no shape."""
    return np.frombuffer(content, "<f2").reshape(rows, *shape) if shape else None


def _is_named(net: wire.SoundNet | wire.SourceNet) -> bool:
    return 1 <= len(net.model) <= _MOST_NAME and 1 <= len(net.identity) <= _MOST_NAME


def _check(usable: bool, model: str) -> None:
    if not usable:
        raise ChorusError(ErrorKind.INVALID_INPUT, "net-unusable", model=model)
