"""The config.pbtxt of an imported family: the same file for the embedded Triton and for NVIDIA's container."""

from __future__ import annotations

from typing import Final

from services.jobs.imported import ImportedFamily

_WARM_ROWS: Final = 8
"""As many faces as a render asks for at once"""

_TENSORRT: Final = """# On a GPU TensorRT may compute it, in half floats: what it gives is a picture of 8 bits.
parameters { key: "tensorrt" value { string_value: "FP16" } }
"""


def config_text(family: ImportedFamily) -> str:
    """Batches of several renders are joined; the first real request finds a warm session."""
    side, rows = family.side, family.most_rows
    preferred = "preferred_batch_size: [ 8, 16 ] " if rows >= max(_WARM_ROWS, 16) else ""
    # TensorRT takes floats only: our 8 bits have a zero point, which its own do not.
    tensorrt = "" if family.precision == "int8" else _TENSORRT
    return f"""# Written by `chorus models import`. Licence: {family.licence}
name: "{family.name}"
backend: "onnxruntime"
max_batch_size: {rows}
input [
  {{ name: "crop" data_type: TYPE_UINT8 dims: [ {side}, {side}, 3 ] }},
  {{ name: "mel" data_type: TYPE_FP32 dims: [ 80, 16 ] }}
]
output [
  {{ name: "mouth" data_type: TYPE_UINT8 dims: [ {side}, {side}, 3 ] }}
]
instance_group [ {{ count: 1 }} ]
dynamic_batching {{ {preferred}max_queue_delay_microseconds: 2000 }}
model_warmup [
  {{
    name: "one render's request"
    batch_size: {min(rows, _WARM_ROWS)}
    inputs {{ key: "crop" value {{ data_type: TYPE_UINT8 dims: [ {side}, {side}, 3 ] zero_data: true }} }}
    inputs {{ key: "mel" value {{ data_type: TYPE_FP32 dims: [ 80, 16 ] zero_data: true }} }}
  }}
]
# One thread a session: more of them spin, and cost more than they give.
parameters {{ key: "intra_op_thread_count" value {{ string_value: "1" }} }}
parameters {{ key: "precision" value {{ string_value: "{family.precision}" }} }}
# The embedded Triton asks for it; the container's backend computes with ONNX Runtime in any case.
parameters {{ key: "library" value {{ string_value: "{family.library}" }} }}
{tensorrt}"""
