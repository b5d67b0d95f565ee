"""Running a TFLite file with the TFLite interpreter, as the reference for what was converted from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from export.attention_reference import sample_features, transform_landmarks, transform_matrix
from export.tflite_reader import Operator, TfliteGraph

Values = dict[int, NDArray[np.float64]]

_CUSTOM: Final[Mapping[str, Callable[[TfliteGraph, Operator, Values], NDArray[np.float64]]]] = {
    "Landmarks2TransformMatrix": lambda graph, operator, values: transform_matrix(
        values[operator.inputs[0]][0], operator.custom_options()
    ),
    "TransformTensorBilinear": lambda graph, operator, values: sample_features(
        values[operator.inputs[0]][0], values[operator.inputs[1]][0], operator.custom_options()
    ),
    "TransformLandmarks": lambda graph, operator, values: transform_landmarks(
        values[operator.inputs[0]][0], values[operator.inputs[1]][0]
    ),
}


def run_tflite(source: Path, image: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Outputs by name for one image (1, h, w, 3).

    The interpreter knows no custom operators: they are cut out, their outputs become inputs, and numpy works them
    out between runs, in order, so that every other operator is the interpreter's own.
    """
    graph = TfliteGraph(source)
    custom = [operator for operator in graph.operators if operator.kind in _CUSTOM]
    interpreter = Interpreter(model_content=_without_custom(source.read_bytes(), graph), num_threads=1)
    interpreter.allocate_tensors()
    fed: Values = {graph.inputs[0]: image.astype(np.float64)}
    fed |= {operator.outputs[0]: np.zeros(graph.shape(operator.outputs[0])) for operator in custom}
    values = _invoke(interpreter, fed)
    for operator in custom:
        fed[operator.outputs[0]] = _CUSTOM[operator.kind](graph, operator, values)[None]
        values = _invoke(interpreter, fed)
    return {graph.name(number): values[number] for number in graph.outputs}


def _without_custom(content: bytes, graph: TfliteGraph) -> bytes:
    """The same model with the custom operators' inputs as outputs, and their outputs as inputs."""
    model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
    part = model.subgraphs[0]
    cut = [operator for operator in graph.operators if operator.kind in _CUSTOM]
    part.operators = [
        kept for kept, read in zip(part.operators, graph.operators, strict=True) if read.kind not in _CUSTOM
    ]
    given = [operator.outputs[0] for operator in cut]
    part.inputs = [*graph.inputs, *given]
    wanted = {number for operator in cut for number in operator.inputs} - set(given)
    part.outputs = [*graph.outputs, *sorted(wanted - set(graph.outputs))]
    model.signatureDefs = None
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _invoke(interpreter: Any, fed: Values) -> Values:
    for number, value in fed.items():
        interpreter.set_tensor(number, value.astype(np.float32))
    interpreter.invoke()
    numbers = [detail["index"] for detail in interpreter.get_output_details()]
    return fed | {number: interpreter.get_tensor(number).astype(np.float64) for number in numbers}
