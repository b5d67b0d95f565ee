"""A served graph rewritten so that ONNX Runtime can compute all of it in 8 bits; what it computes stays the same.

ONNX Runtime has a transposed convolution in floats only. One that doubles a picture's side, which is all that Wav2Lips
have of size, is four plain ones with 2 x 2 taps, each of which gives every second row and column.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_DOUBLING: Final[dict[str, Any]] = {
    "kernel_shape": [3, 3],
    "strides": [2, 2],
    "pads": [1, 1, 1, 1],
    "output_padding": [1, 1],
}
_ACTIVATIONS: Final = ("Relu", "LeakyRelu")
_TAPS: Final[tuple[dict[int, int], ...]] = ({0: 1}, {0: 2, 1: 0})
"""Of an even and an odd row of the output: which of the three taps falls on the input's row and on the one behind it"""


@dataclass(slots=True)
class _Weights:
    """The constants of a graph, and those that take their place."""

    known: dict[str, onnx.TensorProto]

    def values(self, name: str) -> NDArray[np.float32] | None:
        """None for what is no constant of 32-bit floats."""
        tensor = self.known.get(name)
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT:
            return None
        return np.asarray(numpy_helper.to_array(tensor), np.float32)

    def add(self, name: str, values: NDArray[np.floating[Any]]) -> str:
        self.known[name] = numpy_helper.from_array(values.astype(np.float32), name)
        return name


def rewritten(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without identities, norms behind transposed convolutions folded in, and doublings made plain."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    weights = _Weights({tensor.name: tensor for tensor in changed.graph.initializer})
    nodes = _without_identities(list(changed.graph.node))
    for node in nodes:
        _plain_slope(node, weights)
    nodes = _split(_folded(nodes, weights), weights)
    used = {name for node in nodes for name in node.input}
    del changed.graph.value_info[:], changed.graph.node[:]
    changed.graph.node.extend(nodes)
    kept = [tensor for name, tensor in weights.known.items() if name in used]
    copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
    del changed.graph.initializer[:]
    changed.graph.initializer.extend(copies)
    return changed


def _without_identities(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """An exporter shares equal constants through them, which hides that they are constants."""
    same: dict[str, str] = {}
    kept = []
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)
        if node.op_type == "Identity":
            same[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    return kept


def _plain_slope(node: onnx.NodeProto, weights: _Weights) -> None:
    """One slope for all channels, as in the nets with PReLU, is a leaky ReLU, which runs in 8 bits; in place."""
    slope = weights.values(node.input[1]) if node.op_type == "PRelu" else None
    if slope is not None and slope.size == 1:
        node.op_type = "LeakyRelu"
        node.attribute.append(helper.make_attribute("alpha", float(slope.item())))
        del node.input[1]


def _folded(nodes: list[onnx.NodeProto], weights: _Weights) -> list[onnx.NodeProto]:
    """Each norm that nothing but a transposed convolution feeds lies in its weights; exporters leave it beside them."""
    uses = Counter(name for node in nodes for name in node.input)
    givers = {node.output[0]: node for node in nodes if node.op_type == "ConvTranspose"}
    kept = []
    for node in nodes:
        before = givers.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if before is None or uses[before.output[0]] > 1 or not _fold(before, node, weights):
            kept.append(node)
    return kept


def _fold(convolution: onnx.NodeProto, norm: onnx.NodeProto, weights: _Weights) -> bool:
    """False when their numbers are not constants."""
    kernel = weights.values(convolution.input[1])
    bias = weights.values(convolution.input[2]) if len(convolution.input) > 2 else None
    parts = [weights.values(name) for name in norm.input[1:5]]
    if kernel is None or _attributes(convolution).get("group", 1) != 1 or any(part is None for part in parts):
        return False
    scale, shift, mean, variance = (np.asarray(part, np.float64) for part in parts)
    gain = scale / np.sqrt(variance + _attributes(norm).get("epsilon", 1e-5))
    start = np.zeros_like(mean) if bias is None else bias
    name = convolution.output[0]
    folded = [
        convolution.input[0],
        weights.add(f"{name}/kernel", kernel * gain[None, :, None, None]),
        weights.add(f"{name}/bias", (start - mean) * gain + shift),
    ]
    del convolution.input[:]
    convolution.input.extend(folded)
    convolution.output[0] = norm.output[0]
    return True


def _split(nodes: list[onnx.NodeProto], weights: _Weights) -> list[onnx.NodeProto]:
    """Doublings as plain convolutions; an activation behind one goes before the pixels are put in their places."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    made, done = list[onnx.NodeProto](), set[str]()
    for node in nodes:
        if node.output[0] in done:
            continue
        behind = readers.get(node.output[0], [])
        active = behind[0] if len(behind) == 1 and behind[0].op_type in _ACTIVATIONS else None
        if (doubled := _doubled(node, active, weights)) is None:
            made.append(node)
            continue
        made += doubled
        if active is not None:
            done.add(active.output[0])
    return made


def _doubled(node: onnx.NodeProto, active: onnx.NodeProto | None, weights: _Weights) -> list[onnx.NodeProto] | None:
    """What does the same as a transposed convolution; None where it does not just double the picture."""
    if node.op_type != "ConvTranspose":
        return None
    found = _attributes(node)
    kernel = weights.values(node.input[1])
    bias = weights.values(node.input[2]) if len(node.input) > 2 else None
    if kernel is None or kernel.shape[2:] != (3, 3) or (bias is None and len(node.input) > 2):
        return None
    plain = found.get("group", 1) == 1 and found.get("dilations", [1, 1]) == [1, 1] and "auto_pad" not in found
    if not plain or any(found.get(name, [3, 3]) != value for name, value in _DOUBLING.items()):
        return None
    into, out = kernel.shape[:2]
    split = np.zeros((2, 2, out, into, 2, 2), np.float32)
    for row, column in np.ndindex(2, 2):
        for down, tap_down in _TAPS[row].items():
            for across, tap_across in _TAPS[column].items():
                split[row, column, :, :, down, across] = kernel[:, :, tap_down, tap_across].T
    name, inputs = node.output[0], [node.input[0]]
    inputs.append(weights.add(f"{name}/split", split.reshape(4 * out, into, 2, 2)))
    inputs.append(weights.add(f"{name}/split_bias", np.tile(np.zeros(out) if bias is None else bias, 4)))
    last, parts = f"{name}/parts", list[onnx.NodeProto]()
    parts.append(helper.make_node("Conv", inputs, [last], name=last, kernel_shape=[2, 2], pads=[0, 0, 1, 1]))
    if active is not None:
        moved = onnx.NodeProto()
        moved.CopyFrom(active)
        moved.input[0], moved.output[0] = last, f"{last}/active"
        moved.name = moved.output[0]  # its own may be that of what it gave, which the next node gives now
        parts.append(moved)
        last, name = moved.output[0], active.output[0]
    parts.append(helper.make_node("DepthToSpace", [last], [name], name=name, blocksize=2, mode="DCR"))
    return parts


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
