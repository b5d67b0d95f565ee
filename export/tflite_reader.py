"""Reading a TFLite file: its operators in order, and its weights as dense float32 arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tflite
from flatbuffers import flexbuffers
from numpy.typing import NDArray
from tflite.BuiltinOperator import BuiltinOperator

_OPERATOR_NAMES: Final = {code: name for name, code in vars(BuiltinOperator).items() if isinstance(code, int)}
_DTYPES: Final = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64}
_SPARSE_AXIS: Final = 1
_UNPACKING: Final = ("DEQUANTIZE", "DENSIFY")


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: its TFLite (or custom) name, and the numbers of the tensors it reads and writes."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    flatbuffer: Any
    groups: int = 1
    """So many operators of equal shape side by side, each with channels of its own"""

    @property
    def is_weight(self) -> bool:
        """True for one that only unpacks a weight."""
        return self.kind in _UNPACKING

    def options(self, name: str) -> Any:
        """Built-in options, read as the TFLite table `name` (for example Conv2DOptions)."""
        table = self.flatbuffer.BuiltinOptions()
        options = getattr(tflite, name)()
        options.Init(table.Bytes, table.Pos)
        return options

    def custom_options(self) -> dict[str, Any]:
        """Options of a custom operator, a flexbuffer map."""
        loaded: dict[str, Any] = flexbuffers.Loads(self.flatbuffer.CustomOptionsAsNumpy().tobytes())
        return loaded


class TfliteGraph:
    """The only subgraph of a TFLite file."""

    def __init__(self, path: Path) -> None:
        self._model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
        self._graph = self._model.Subgraphs(0)
        self.inputs = tuple(int(number) for number in self._graph.InputsAsNumpy())
        self.outputs = tuple(int(number) for number in self._graph.OutputsAsNumpy())
        self.operators = tuple(self._operator(index) for index in range(self._graph.OperatorsLength()))
        self._packed = {each.outputs[0]: each.inputs[0] for each in self.operators if each.is_weight}

    def name(self, number: int) -> str:
        """The name that the authors gave a tensor."""
        return str(self._graph.Tensors(number).Name().decode())

    def shape(self, number: int) -> tuple[int, ...]:
        """Shape of a tensor, batch 1, channels last."""
        tensor = self._graph.Tensors(number)
        return tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))

    def weight(self, number: int) -> NDArray[np.generic]:
        """A constant in TFLite's own layout, sparse ones made dense; half precision becomes single."""
        while number in self._packed:
            number = self._packed[number]
        tensor = self._graph.Tensors(number)
        dtype = _DTYPES[tensor.Type()]
        stored = np.frombuffer(self._model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes(), dtype)
        sparsity = tensor.Sparsity()
        if sparsity is None:
            dense = stored.reshape(self.shape(number))
        else:
            dense = _densify(stored, sparsity, self.shape(number))
        return dense.astype(np.float32) if dtype is np.float16 else dense

    def _operator(self, index: int) -> Operator:
        found = self._graph.Operators(index)
        code = self._model.OperatorCodes(found.OpcodeIndex())
        kind = _OPERATOR_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        if kind == "CUSTOM":
            kind = code.CustomCode().decode()
        inputs = tuple(int(number) for number in found.InputsAsNumpy())
        return Operator(kind, inputs, tuple(int(number) for number in found.OutputsAsNumpy()), found)


def _densify(stored: NDArray[np.generic], sparsity: Any, shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Spread compressed values: every axis but the last is dense, the last is compressed row by row."""
    axes = [sparsity.DimMetadata(axis) for axis in range(sparsity.DimMetadataLength())]
    if [axis.Format() for axis in axes] != [0] * (len(shape) - 1) + [_SPARSE_AXIS]:
        message = f"sparse layout of a {shape} tensor is not one that this reader knows"
        raise ValueError(message)
    segments = _index_vector(axes[-1].ArraySegmentsType(), axes[-1].ArraySegments())
    columns = _index_vector(axes[-1].ArrayIndicesType(), axes[-1].ArrayIndices())
    dense = np.zeros((int(np.prod(shape[:-1])), shape[-1]), stored.dtype)
    rows = np.repeat(np.arange(len(dense)), np.diff(segments))
    dense[rows, columns] = stored
    return dense.reshape(shape)


def _index_vector(kind: int, table: Any) -> NDArray[np.int64]:
    """An index vector of one of the three widths that TFLite stores."""
    reader = {1: tflite.Int32Vector, 2: tflite.Uint16Vector, 3: tflite.Uint8Vector}[kind]()
    reader.Init(table.Bytes, table.Pos)
    numbers: NDArray[np.int64] = reader.ValuesAsNumpy().astype(np.int64)
    return numbers
