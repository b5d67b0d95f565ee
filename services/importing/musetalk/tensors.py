"""The weights of a MuseTalk's parts, named as diffusers and transformers name them today; each is accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn

from services.errors import ChorusError, ErrorKind
from services.importing.containers import Container, container_of
from services.importing.musetalk.layout import Part
from services.importing.weights import check_finite, read_tensors

MOST_BYTES: Final = 8 << 30
"""Of one file: a UNet of 850 million numbers in 32 bits has 3.4 GB"""
_MOST_NUMBERS: Final = 2_000_000_000
_FLOATS: Final = (torch.float32, torch.float16, torch.bfloat16)
_OLD_ATTENTION: Final = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""As the published VAE calls them: it is older than these names"""


def read_part(part: Part) -> dict[str, Tensor]:
    """The tensors of a part by name, on the disk until somebody needs them; INVALID_INPUT when they cannot be taken."""
    container = container_of(part.weights, part.name, most_bytes=MOST_BYTES)
    if container not in (Container.PYTORCH, Container.SAFETENSORS):
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-unknown-format", name=part.name)
    return {
        _renamed(key): value for key, value in read_tensors(part.weights, container, part.name, mapped=True).items()
    }


def fill(net: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Give the net its weights, in 32 bits; INVALID_INPUT when one is missing, misshapen, too much or no number."""
    wanted = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    if sum(torch.Size(shape).numel() for shape in wanted.values()) > _MOST_NUMBERS:
        raise _differs(name, f"it has more than {_MOST_NUMBERS} numbers")
    if "embed_positions.weight" in wanted:
        tensors = _encoder_only(tensors)
    if missing := sorted(wanted.keys() - tensors.keys()):
        raise _differs(name, f"{len(missing)} tensors are missing, as {missing[0]}")
    if more := sorted(tensors.keys() - wanted.keys()):
        raise _differs(name, f"it has {len(more)} tensors more, as {more[0]}")
    taken: dict[str, Tensor] = {}
    for key, shape in wanted.items():
        tensor = tensors[key]
        if tensor.dtype not in _FLOATS:
            raise _differs(name, f"{key} is {str(tensor.dtype).removeprefix('torch.')} and no float")
        if tuple(side for side in tensor.shape if side > 1) == tuple(side for side in shape if side > 1):
            tensor = tensor.reshape(shape)  # older files hold 1 x 1 convolutions where today's nets multiply
        if tuple(tensor.shape) != shape:
            raise _differs(name, f"{key} is {tuple(tensor.shape)} and not {shape}")
        taken[key] = tensor.float()
    check_finite(taken, name)
    net.load_state_dict(taken, assign=True)
    net.requires_grad_(False)


def _renamed(key: str) -> str:
    if ".attentions." in key:
        for old, new in _OLD_ATTENTION.items():
            key = key.replace(old, new)
    return key


def _encoder_only(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of a whole Whisper the half that hears: what writes words is not needed."""
    parts = ((key.removeprefix("model.").partition("encoder."), value) for key, value in tensors.items())
    return {key: value for (before, found, key), value in parts if found and not before}


def _differs(name: str, reason: str) -> ChorusError:
    return ChorusError(ErrorKind.INVALID_INPUT, "import-part-differs", name=name, reason=reason)
