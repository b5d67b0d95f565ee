"""A graph that computes in 32 bits is made to compute in 16; what goes in and comes out stays as it is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

_HALF: Final = TensorProto.FLOAT16
_FULL: Final = TensorProto.FLOAT
_LARGEST: Final = float(np.finfo(np.float16).max)


def halve(model: ModelProto, inputs: Collection[str]) -> None:
    """Change `model` in place. Inputs beside `inputs` are weights. How much a Resize enlarges stays in 32 bits."""
    graph = model.graph
    scales = {name for node in graph.node if node.op_type == "Resize" for name in node.input[1:] if name}
    for tensor in graph.initializer:
        if tensor.data_type == _FULL and tensor.name not in scales:
            values = np.clip(numpy_helper.to_array(tensor), -_LARGEST, _LARGEST)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
    for node in graph.node:
        if node.op_type == "Cast":
            for attribute in node.attribute:
                if attribute.i == _FULL:
                    attribute.i = _HALF
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR and attribute.t.data_type == _FULL:
                raise RuntimeError(f"{node.name} holds numbers of its own")
    _cast_ends(model, inputs)


def _cast_ends(model: ModelProto, inputs: Collection[str]) -> None:
    graph, before, behind = model.graph, list[NodeProto](), list[NodeProto]()
    for value in graph.input:
        if value.type.tensor_type.elem_type != _FULL:
            continue
        if value.name not in inputs:
            value.type.tensor_type.elem_type = _HALF
            continue
        before.append(_cast(value.name, f"{value.name}/half", _HALF))
        for node in graph.node:
            node.input[:] = [f"{value.name}/half" if each == value.name else each for each in node.input]
    for value in graph.output:
        if value.type.tensor_type.elem_type == _FULL:
            for node in graph.node:
                node.output[:] = [f"{value.name}/half" if each == value.name else each for each in node.output]
            behind.append(_cast(f"{value.name}/half", value.name, _FULL))
    nodes = [*before, *graph.node, *behind]
    del graph.node[:]
    graph.node.extend(nodes)


def _cast(given: str, made: str, to: int) -> NodeProto:
    return helper.make_node("Cast", [given], [made], name=f"{made}/cast", to=to)
