"""The config.pbtxt of an imported family's models: the same for the embedded Triton and for NVIDIA's container."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.jobs.imported import MUSETALK, ImportedFamily

_WARM_ROWS: Final = 8
"""As many faces as a render asks for at once"""

_MOST_RECORDINGS: Final = 4
"""Pieces of 30 s of one request, 12 MB of answer each"""

_TENSORRT: Final = """# On a GPU TensorRT may compute it, in half floats: what it gives is a picture of 8 bits.
parameters { key: "tensorrt" value { string_value: "FP16" } }
"""


WRITTEN_BY: Final = "# Written by `chorus models import`."


def config_texts(family: ImportedFamily) -> dict[str, str]:
    """Of each of its models, by their names, as ImportedFamily.models has them."""
    if family.method != MUSETALK:
        return {family.name: config_text(family)}
    crop, latents = (
        _Tensor("crop", "TYPE_UINT8", (family.side, family.side, 3)),
        _Tensor("latents", "TYPE_FP32", (8, 32, 32)),
    )
    sound, states = _Tensor("sound", "TYPE_FP32", (50, 384)), _Tensor("states", "TYPE_FP32", (1500, 1920))
    samples = _Tensor("samples", "TYPE_FP32", (480000,))
    mouth = replace(crop, name="mouth")
    rows = family.most_rows
    ends = (([latents, sound], mouth, rows), ([crop], latents, rows), ([samples], states, _MOST_RECORDINGS))
    return {
        model: _text(family, model, inputs, output, most, warm_rows=1, precision=precision)
        for model, (inputs, output, most), precision in zip(
            family.models, ends, (family.precision, family.precision, "float32"), strict=True
        )
    }


def config_text(family: ImportedFamily) -> str:
    """Of a net that takes a crop and a mel window."""
    crop = _Tensor("crop", "TYPE_UINT8", (family.side, family.side, 3))
    inputs = [crop, _Tensor("mel", "TYPE_FP32", (80, 16))]
    # TensorRT takes floats only: our 8 bits have a zero point, which its own do not.
    tensorrt = "" if family.precision == "int8" else _TENSORRT
    rows = min(family.most_rows, _WARM_ROWS)
    mouth = replace(crop, name="mouth")
    text = _text(family, family.name, inputs, mouth, family.most_rows, warm_rows=rows, precision=family.precision)
    return text + tensorrt


@dataclass(frozen=True, slots=True)
class _Tensor:
    """An input or an output."""

    name: str
    kind: str
    sides: tuple[int, ...]

    @property
    def text(self) -> str:
        return f'name: "{self.name}" {self.shape}'

    @property
    def shape(self) -> str:
        return f"data_type: {self.kind} dims: [ {', '.join(map(str, self.sides))} ]"


def _text(
    family: ImportedFamily,
    model: str,
    inputs: Sequence[_Tensor],
    output: _Tensor,
    rows: int,
    *,
    warm_rows: int,
    precision: str,
) -> str:
    """Batches of several renders are joined; the first real request finds a warm session."""
    preferred = "preferred_batch_size: [ 8, 16 ] " if rows >= max(_WARM_ROWS, 16) else ""
    listed = ",\n".join(f"  {{ {each.text} }}" for each in inputs)
    warm = "\n".join(f'    inputs {{ key: "{each.name}" value {{ {each.shape} zero_data: true }} }}' for each in inputs)
    return f"""{WRITTEN_BY} Licence: {family.licence}
name: "{model}"
backend: "onnxruntime"
max_batch_size: {rows}
input [
{listed}
]
output [
  {{ {output.text} }}
]
instance_group [ {{ count: 1 }} ]
dynamic_batching {{ {preferred}max_queue_delay_microseconds: 2000 }}
model_warmup [
  {{
    name: "one render's request"
    batch_size: {warm_rows}
{warm}
  }}
]
# One thread a session: more of them spin, and cost more than they give.
parameters {{ key: "intra_op_thread_count" value {{ string_value: "1" }} }}
parameters {{ key: "precision" value {{ string_value: "{precision}" }} }}
# The embedded Triton asks for it; the container's backend computes with ONNX Runtime in any case.
parameters {{ key: "library" value {{ string_value: "{family.library}" }} }}
"""
