"""A net of nets.py as ONNX: its operators with a free batch, its weights in a file beside it, in 16 bits where asked.

The tracer works with a batch of fixed size and without the weights, which stay where they are until each is written:
3.4 GB would otherwise be held several times, and a free batch would bring a thousand operators that work out shapes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from services.importing.musetalk.halving import halve

Array = NDArray[Any]

_OPSET: Final = 17
ROWS: Final = 2
"""Of the batch that is traced"""
_INLINE_BYTES: Final = 1024
_PAGE: Final = 4096
"""Where a tensor begins in the file of weights, so that it can be mapped"""
_VIEWS: Final = ("Transpose", "Unsqueeze", "Identity")
WEIGHTS: Final = "weights.bin"
"""Beside model.onnx"""


def write_graph(net: nn.Module, example: Mapping[str, Tensor], output: str, path: Path, *, half: bool) -> None:
    """Write the net to `path` and its weights beside it. `example` holds ROWS rows of each input, by name.

    RuntimeError when the batch cannot be freed, or what torch cannot trace.
    """
    model = _folded(_traced(net, example, output))
    _free_batch(model, example)
    if half:
        halve(model, example)
    _attach(model, net.state_dict(), path, half=half)
    onnx.save_model(model, path)


def _traced(net: nn.Module, example: Mapping[str, Tensor], output: str) -> ModelProto:
    """Operators only: each weight is an input of its name."""
    written = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            tuple(example.values()),
            written,
            input_names=list(example),
            output_names=[output],
            opset_version=_OPSET,
            export_params=False,
            do_constant_folding=False,
            dynamo=False,
        )
    return onnx.load_from_string(written.getvalue())


def _folded(model: ModelProto) -> ModelProto:
    """With everything worked out that depends on shapes alone."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with TemporaryDirectory() as folder:
        target = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(target)
        onnxruntime.InferenceSession(
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["MatMulAddFusion"],  # it would multiply the batch into other axes
        )
        folded = onnx.load_model(target)
    del folded.opset_import[:], folded.graph.value_info[:]
    folded.opset_import.append(helper.make_opsetid("", _OPSET))
    for trace in ("producer_name", "producer_version", "doc_string", "metadata_props"):
        folded.ClearField(trace)
    return folded


def _free_batch(model: ModelProto, inputs: Collection[str]) -> None:
    """The first axis of every input, output and reshaping is as long as it comes."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape" and (shape := weights.get(node.input[1])) is not None:
            sides = numpy_helper.to_array(shape).copy()
            if sides[0] in (ROWS, 2 * ROWS):
                sides[0] = 0  # as it is
                shape.CopyFrom(numpy_helper.from_array(sides, shape.name))
            elif sides[0] > 0:
                raise RuntimeError(f"{node.name} makes {list(sides)}")
    for value in (*(each for each in model.graph.input if each.name in inputs), *model.graph.output):
        first = value.type.tensor_type.shape.dim[0]
        first.Clear()
        first.dim_param = "batch"


def _attach(model: ModelProto, weights: Mapping[str, Tensor], path: Path, *, half: bool) -> None:
    """Put the weights, and what is only a view of one, into a file beside `path`, and name them in the graph."""
    graph, views = model.graph, _taken_out(model, weights)
    used = {name for node in graph.node for name in node.input}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    del graph.initializer[:]
    graph.initializer.extend(tensor for name, tensor in constants.items() if name in used)
    with (path.parent / WEIGHTS).open("wb") as file:
        for name, (source, nodes) in views.items():
            if name in used:
                values = weights[source].half() if half else weights[source].float()
                array = _seen(values.numpy(), nodes, constants)
                graph.initializer.append(_written(name, array, file))


def _taken_out(model: ModelProto, weights: Collection[str]) -> dict[str, tuple[str, tuple[NodeProto, ...]]]:
    """Weights and views of them leave the graph: by their names there the weight, and what is done with it."""
    graph, constants = model.graph, {tensor.name for tensor in model.graph.initializer}
    views: dict[str, tuple[str, tuple[NodeProto, ...]]] = {name: (name, ()) for name in weights}
    inputs, nodes = [value for value in graph.input if value.name not in weights], list[NodeProto]()
    for node in graph.node:
        if node.op_type in _VIEWS and node.input[0] in views and constants.issuperset(node.input[1:]):
            source, before = views[node.input[0]]
            views[node.output[0]] = (source, (*before, node))
        else:
            nodes.append(node)
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    return views


def _seen(array: Array, nodes: Sequence[NodeProto], constants: Mapping[str, TensorProto]) -> Array:
    """A weight after those nodes."""
    for node in nodes:
        if node.op_type == "Transpose":
            array = array.transpose(next(list(each.ints) for each in node.attribute if each.name == "perm"))
        elif node.op_type == "Unsqueeze":
            axes = numpy_helper.to_array(constants[node.input[1]]).tolist()
            array = np.expand_dims(array, tuple(axes))
    return np.ascontiguousarray(array)


def _written(name: str, array: Array, file: io.BufferedWriter) -> TensorProto:
    if array.nbytes <= _INLINE_BYTES:
        return numpy_helper.from_array(array, name)
    file.write(bytes(-file.tell() % _PAGE))
    tensor = TensorProto(name=name, dims=array.shape, data_location=TensorProto.EXTERNAL)
    tensor.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
    for key, value in (("location", WEIGHTS), ("offset", file.tell()), ("length", array.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    file.write(array.data)
    return tensor
