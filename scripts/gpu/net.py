"""A Wav2Lip of 96 pixels with seeded random weights, written as ONNX layer by layer: torch is not needed.

It has the published net's layers and so its speed; its picture is noise that follows the face and the sound.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.wav2lip_nets import WAV2LIP_96, Net

_RESIDUAL_SHARE: Final = 0.3
"""Of a residual layer's weights, so that the sums of many do not grow"""


class _Graph:
    """Nodes and weights as they come."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """One node; the name of its output."""
        output = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: NDArray[np.float32]) -> str:
        """A tensor of weights; its name."""
        name = f"weights{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def layer(self, x: str, row: tuple[Any, ...], *, share: float = 1.0, last: bool = False) -> str:
        """A convolution with its norm folded in, and its activation unless it is the last."""
        into, out, kernel, stride, padding, residual = row
        share *= _RESIDUAL_SHARE if residual else 1.0
        weights = self._weights((out, into, kernel, kernel), into * kernel * kernel, share)
        strides = list(stride) if isinstance(stride, tuple) else [stride] * 2
        y = self.add("Conv", [x, weights], kernel_shape=[kernel] * 2, strides=strides, pads=[padding] * 4)
        if residual:
            y = self.add("Add", [y, x])
        return y if last else self.add("Relu", [y])

    def up(self, x: str, row: tuple[Any, ...]) -> str:
        """A transposed convolution and its activation."""
        into, out, kernel, stride, padding, more = row
        weights = self._weights((into, out, kernel, kernel), into * kernel * kernel / stride**2, 1.0)
        shape: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
        return self.add("Relu", [self.add("ConvTranspose", [x, weights], output_padding=[more] * 2, **shape)])

    def _weights(self, shape: tuple[int, ...], inputs: float, share: float) -> str:
        """Such that activations keep their size from layer to layer."""
        values = self.random.standard_normal(shape) * np.sqrt(2 / inputs) * share
        return self.constant(values.astype(np.float32))


def random_wav2lip(net: Net = WAV2LIP_96, *, seed: int = 7) -> onnx.ModelProto:
    """As others export it: `mel` (n, 1, 80, 16) and `face` (n, 6, side, side) in, `picture` (n, 3, side, side) out."""
    graph, x, features = _Graph(seed), "face", []
    for rows in net.encoder:
        for row in rows:
            x = graph.layer(x, row)
        features.append(x)
    x = "mel"
    for row in net.audio:
        x = graph.layer(x, row)
    for number, (first, more) in enumerate(net.decoder):
        x = graph.layer(x, (*first[:3], 1, 0, False)) if number == 0 else graph.up(x, first)
        for _ in range(more):
            x = graph.layer(x, (first[1], first[1], 3, 1, 1, True))
        x = graph.add("Concat", [x, features.pop()], axis=1)
    into = net.decoder[-1][0][1] + net.encoder[0][-1][1]
    x = graph.layer(x, (into, 32, 3, 1, 1, False))
    graph.layer(x, (32, 3, 1, 1, 0, False), last=True)
    graph.nodes.append(helper.make_node("Sigmoid", [graph.nodes[-1].output[0]], ["picture"]))
    side = net.side
    made = helper.make_graph(
        graph.nodes,
        "wav2lip",
        [_tensor("mel", 1, 80, 16), _tensor("face", 6, side, side)],
        [_tensor("picture", 3, side, side)],
        graph.weights,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _tensor(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
