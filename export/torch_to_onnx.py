"""Exporting a torch module as ONNX with names and bytes that do not change from run to run."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence

import onnx
import torch
from torch import Tensor, nn

from export.onnx_graph import BATCH, OPSET, finish


def trace(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """Trace `module` with example inputs; it gives one tensor or a tuple. `axes` names the free axes but the batch."""
    free = {name: {0: BATCH, **axes.get(name, {})} for name in [*inputs, *outputs]}
    written = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer is torch's older exporter: the newer one unrolls the free axes of GridSample's inputs.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            written,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(written.getvalue())
    model.graph.name = type(module).__name__
    with torch.no_grad():
        given = module(*inputs.values())
        for output, tensor in zip(model.graph.output, given if isinstance(given, tuple) else (given,), strict=True):
            _fix_shape(output, tensor.shape, free[output.name])
    _rename(model.graph, {*inputs, *outputs})
    return finish(model)


def _fix_shape(output: onnx.ValueInfoProto, shape: Sequence[int], free: Mapping[int, str]) -> None:
    """Write out the axes that are not free: the tracer loses some."""
    for axis, dimension in enumerate(output.type.tensor_type.shape.dim):
        if axis not in free:
            dimension.dim_value = shape[axis]


def _rename(graph: onnx.GraphProto, kept: set[str]) -> None:
    """Count nodes, values and weights through: torch's own names hold counters of its internals."""
    names = {name: name for name in kept} | {"": ""}
    del graph.value_info[:]
    for number, weight in enumerate(graph.initializer):
        names.setdefault(weight.name, f"c{number}")
        weight.name = names[weight.name]
    for number, node in enumerate(graph.node):
        node.ClearField("doc_string")
        node.name = f"v{number}"
        for place, output in enumerate(node.output):
            names.setdefault(output, f"v{number}" + "i" * place)
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
