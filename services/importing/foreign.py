"""Others' ONNX files: a Wav2Lip is known by the shapes of its inputs and output, never by names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

from services.errors import ChorusError, ErrorKind
from services.importing.containers import damaged
from services.importing.served_graph import Ends
from services.importing.wav2lip import MEL_SHAPE, SIDES

_LEAST_OPSET: Final = 11
_MOST_NODES: Final = 20_000
_DOMAINS: Final = ("", "ai.onnx")
_BRANCHING: Final = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""What may run longer with other sounds than it was tried with, and no Wav2Lip needs"""
_TYPES: Final = (TensorProto.FLOAT, TensorProto.FLOAT16)


def read_foreign(path: Path, name: str) -> tuple[ModelProto, Ends]:
    """The net, with a free batch, and its ends; INVALID_INPUT says why `name` is none that can be served."""
    try:
        model = onnx.load_model(path, load_external_data=False)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise damaged(name, error) from error
    _check_safe(model, name)
    ends = _ends(model, name)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        raise damaged(name, error) from error
    return model, ends


def free_batch(model: ModelProto) -> ModelProto:
    """A copy whose batch may be any, which files for one face at a time often can as well; to be tried."""
    free = ModelProto()
    free.CopyFrom(model)
    for value in (*free.graph.input, *free.graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del free.graph.value_info[:]
    return free


def _check_safe(model: ModelProto, name: str) -> None:
    opset = next((each.version for each in model.opset_import if each.domain in _DOMAINS), 0)
    if opset < _LEAST_OPSET:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-onnx-opset", name=name, found=opset, least=_LEAST_OPSET)
    graphs = list(_graphs(model.graph))
    nodes = [node for graph in graphs for node in graph.node]
    foreign = sorted({node.domain for node in nodes} - set(_DOMAINS))
    if foreign or model.functions:
        domain = ", ".join(foreign) or "functions"
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-onnx-operators", name=name, domain=domain)
    if branching := sorted({node.op_type for node in nodes} & _BRANCHING):
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-onnx-branches", name=name, operators=", ".join(branching))
    if not nodes or len(nodes) > _MOST_NODES:
        raise damaged(name, f"{len(nodes)} operators")
    for tensor in _tensors(graphs):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ChorusError(ErrorKind.INVALID_INPUT, "import-onnx-external", name=name)
        _check_numbers(tensor, name)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and those inside its operators."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def _tensors(graphs: list[GraphProto]) -> Iterator[TensorProto]:
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield sparse.values
            yield sparse.indices
        for node in graph.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield sparse.values
                    yield sparse.indices


def _check_numbers(tensor: TensorProto, name: str) -> None:
    if tensor.data_type not in _TYPES or not tensor.ByteSize():
        return
    try:
        finite = bool(np.isfinite(numpy_helper.to_array(tensor)).all())
    except (ValueError, TypeError) as error:
        raise damaged(name, error) from error
    if not finite:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-not-finite", name=name, key=tensor.name)


def _ends(model: ModelProto, name: str) -> Ends:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    shapes = {value.name: tuple(_shape(value)) for value in inputs}
    types = {value.name: value.type.tensor_type.elem_type for value in inputs}
    mels = [each for each, shape in shapes.items() if shape[1:] == (1, *MEL_SHAPE)]
    faces = [each for each, shape in shapes.items() if len(shape) == 4 and shape[1] == 6 and shape[2] == shape[3]]
    outputs = model.graph.output
    fits = len(inputs) == 2 and len(mels) == len(faces) == len(outputs) == 1
    if not fits or any(kind not in _TYPES for kind in types.values()):
        raise ChorusError(
            ErrorKind.INVALID_INPUT, "import-onnx-shapes", name=name, found=_told([*inputs, *outputs]) or "-"
        )
    side = shapes[faces[0]][2]
    if side not in SIDES:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-onnx-side", name=name, sides=", ".join(map(str, SIDES)))
    return Ends(mels[0], faces[0], outputs[0].name, side, types[mels[0]], types[faces[0]])


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    """0 for an axis that is free."""
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]


def _told(values: list[onnx.ValueInfoProto]) -> str:
    return ", ".join(f"{value.name} ({', '.join(str(axis or '?') for axis in _shape(value))})" for value in values)[
        :300
    ]
