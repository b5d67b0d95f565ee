"""Writing an ONNX graph node by node, so that the same calls always give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET: Final = 17
IR_VERSION: Final = 9
BATCH: Final = "batch"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named input or output of a model; the batch axis comes first and is not listed."""

    name: str
    dtype: type[np.generic]
    shape: tuple[int | str, ...]


class GraphBuilder:
    """Collects nodes and constants under counted names."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def constant(self, values: NDArray[np.generic] | float | Sequence[int]) -> str:
        """Name of an initializer: a number is float32, a sequence int64; equal arrays share one."""
        if isinstance(values, np.ndarray):
            array = np.ascontiguousarray(values).reshape(values.shape)
        else:
            array = np.array(values, np.int64 if isinstance(values, Sequence) else np.float32)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._names:
            self._names[key] = f"c{len(self._names)}"
            self._initializers.append(numpy_helper.from_array(array, self._names[key]))
        return self._names[key]

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node with one output and return that output's name."""
        return self.nodes(1, operator, *inputs, **attributes)[0]

    def nodes(self, count: int, operator: str, *inputs: str, **attributes: Any) -> list[str]:
        """Append a node with `count` outputs and return their names; an input that is left out is ""."""
        outputs = [f"v{len(self._nodes)}" + "i" * place for place in range(count)]
        self._nodes.append(helper.make_node(operator, list(inputs), outputs, name=outputs[0], **attributes))
        return outputs

    def top(self, values: str, count: int) -> tuple[str, str]:
        """The `count` largest along axis 1, in order: (values, indices)."""
        largest, indices = self.nodes(2, "TopK", values, self.constant([count]), axis=1)
        return largest, indices

    def slice(self, tensor: str, axis: int, start: int, stop: int, step: int = 1) -> str:
        """tensor[start:stop:step] along `axis`."""
        return self.node("Slice", tensor, *(self.constant([number]) for number in (start, stop, axis, step)))

    def model(self, name: str, inputs: Sequence[Tensor], outputs: Sequence[tuple[Tensor, str]]) -> onnx.ModelProto:
        """The checked model; `outputs` pairs each output with the value that it shows."""
        shown = [helper.make_node("Identity", [value], [tensor.name], name=tensor.name) for tensor, value in outputs]
        graph = helper.make_graph(
            [*self._nodes, *shown],
            name,
            [_value_info(tensor) for tensor in inputs],
            [_value_info(tensor) for tensor, _ in outputs],
            self._initializers,
        )
        return finish(helper.make_model(graph))


def finish(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fix the versions, drop what says who made it and when, and check it."""
    for name in ("producer_name", "producer_version", "doc_string", "metadata_props"):
        model.ClearField(name)
    model.ir_version = IR_VERSION
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    onnx.checker.check_model(model, full_check=True)
    return model


def _value_info(tensor: Tensor) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return helper.make_tensor_value_info(tensor.name, kind, [BATCH, *tensor.shape])
