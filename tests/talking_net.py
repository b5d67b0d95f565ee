"""A net like tests.painting_net with convolutions enough that 8 bits pay; made without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from services.importing.quantising import Pairs
from tests.painting_net import painting_net

_CHANNELS = 64
_SKIN = 0.02
"""How strongly the convolutions show in the picture"""


def talking_net(side: int = 96, *, loudness: float = 1.0) -> onnx.ModelProto:
    """The painting net, plus what a trunk of convolutions makes of the face; the sound counts `loudness` times."""
    random = np.random.default_rng(3)

    def weights(*shape: int) -> NDArray[np.float32]:
        return np.asarray(random.standard_normal(shape) / np.sqrt(np.prod(shape[1:])), np.float32)

    constants = {
        "trunk_in": weights(_CHANNELS, 6, 3, 3),
        **{f"trunk_{number}": weights(_CHANNELS, _CHANNELS, 3, 3) * 1.4 for number in range(3)},
        "trunk_up": weights(_CHANNELS, _CHANNELS, 3, 3),
        "trunk_norm": np.abs(weights(_CHANNELS)) + 0.5,
        "trunk_zero": np.zeros(_CHANNELS, np.float32),
        "trunk_last": weights(16, _CHANNELS, 3, 3),
        "trunk_out": weights(3, 16, 1, 1) * np.float32(_SKIN),
    }
    wide: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["video", "trunk_in"], ["t0"], strides=[2, 2], **wide),
        helper.make_node("Relu", ["t0"], ["a0"]),
    ]
    for number in range(3):
        before, after = f"a{number}", f"a{number + 1}"
        nodes.append(helper.make_node("Conv", [before, f"trunk_{number}"], [f"c{number}"], **wide))
        nodes.append(helper.make_node("Add", [f"c{number}", before], [f"s{number}"]))
        nodes.append(helper.make_node("Relu", [f"s{number}"], [after]))
    norm = ["u", "trunk_norm", "trunk_zero", "trunk_zero", "trunk_norm"]
    up: dict[str, Any] = {"strides": [2, 2], "output_padding": [1, 1], **wide}
    nodes += [
        helper.make_node("ConvTranspose", ["a3", "trunk_up"], ["u"], **up),
        helper.make_node("BatchNormalization", norm, ["n"]),
        helper.make_node("Relu", ["n"], ["a4"]),
        helper.make_node("Conv", ["a4", "trunk_last"], ["l"], **wide),
        helper.make_node("Relu", ["l"], ["a5"]),
        helper.make_node("Conv", ["a5", "trunk_out"], ["skin"], kernel_shape=[1, 1]),
        helper.make_node("Add", ["lips", "skin"], ["talking"]),
    ]
    model = painting_net(side)
    for tensor in model.graph.initializer:
        if tensor.name == "shape":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(loudness), "shape"))
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in constants.items())
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("talking", TensorProto.FLOAT, ["batch", 3, side, side])
    )
    return model


def noise_pairs(count: int = 120, side: int = 96) -> Pairs:
    """Soft random pictures with sounds from silent to loud; every fourth is kept to compare by."""
    random = np.random.default_rng(9)
    coarse = random.integers(0, 256, (count, side // 16, side // 16, 3), np.uint8)
    crops = np.repeat(np.repeat(coarse, 16, axis=1), 16, axis=2)
    loud = random.uniform(-4, 4, (count, 1, 1))
    mels = np.clip(random.normal(loud, 0.5, (count, 80, 16)), -4, 4).astype(np.float32)
    return Pairs(crops, mels, np.arange(count) % 4 == 3)
