"""Storing weights in half precision where that loses nothing: half the file, the same numbers."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_WORTH_IT: Final = 1024
"""Weights with fewer numbers stay as they are"""


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights that half precision holds exactly are kept in it and cast back, which a runtime does once."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        half = values.astype(np.float16)
        if weight.data_type != TensorProto.FLOAT or values.size < _WORTH_IT or not (half == values).all():
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}h"))
        casts.append(helper.make_node("Cast", [f"{name}h"], [name], name=f"{name}w", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model
