"""What is served: the net of a file with the steps before and behind it inside the graph.

In: `crop` uint8 (batch, side, side, 3) RGB and `mel` float32 (batch, 80, 16); out: `mouth`, as `crop`.
The net sees what Wav2Lip's see: BGR in 0..1, the crop with its lower half black, then the whole crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.compose import add_prefix

from services.importing.wav2lip import MEL_SHAPE

_BATCH: Final = "batch"
_PREFIX: Final = "net/"


@dataclass(frozen=True, slots=True)
class Ends:
    """The inputs and the output of a net."""

    mel: str
    face: str
    picture: str
    side: int
    mel_type: int
    """TensorProto.FLOAT or FLOAT16"""
    face_type: int


def served(net: onnx.ModelProto, ends: Ends) -> onnx.ModelProto:
    """The whole graph; `net` stays as it is. Its operators must be of opset 11 or later."""
    model = add_prefix(net, _PREFIX)
    graph, constants = model.graph, list[onnx.TensorProto]()

    def constant(name: str, values: NDArray[np.generic]) -> str:
        constants.append(numpy_helper.from_array(values, name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [output], name=output, **attributes)

    upper = np.zeros((1, 1, ends.side, 1), np.float32)
    upper[:, :, : ends.side // 2] = 1
    swap = constant("swap", np.array([2, 1, 0], np.int64))
    step = constant("step", np.array(255, np.float32))
    before = [
        node("Cast", ["crop"], "levels", to=TensorProto.FLOAT),
        node("Div", ["levels", step], "shares"),
        node("Transpose", ["shares"], "rgb", perm=[0, 3, 1, 2]),
        node("Gather", ["rgb", swap], "whole", axis=1),
        node("Mul", ["whole", constant("upper", upper)], "upper_half"),
        node("Concat", ["upper_half", "whole"], "both", axis=1),
        node("Cast", ["both"], _PREFIX + ends.face, to=ends.face_type),
        node("Reshape", ["mel", constant("mel_shape", np.array([-1, 1, *MEL_SHAPE], np.int64))], "columns"),
        node("Cast", ["columns"], _PREFIX + ends.mel, to=ends.mel_type),
    ]
    low, high = constant("low", np.array(0, np.float32)), constant("high", np.array(1, np.float32))
    behind = [
        node("Cast", [_PREFIX + ends.picture], "given", to=TensorProto.FLOAT),
        node("Clip", ["given", low, high], "bounded"),
        node("Gather", ["bounded", swap], "given_rgb", axis=1),
        node("Transpose", ["given_rgb"], "last", perm=[0, 2, 3, 1]),
        node("Mul", ["last", step], "scaled"),
        node("Round", ["scaled"], "rounded"),
        node("Cast", ["rounded"], "mouth", to=TensorProto.UINT8),
    ]
    nodes = [*before, *graph.node, *behind]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    picture: list[str | int | None] = [_BATCH, ends.side, ends.side, 3]
    mel: list[str | int | None] = [_BATCH, *MEL_SHAPE]
    graph.input.append(helper.make_tensor_value_info("crop", TensorProto.UINT8, picture))
    graph.input.append(helper.make_tensor_value_info("mel", TensorProto.FLOAT, mel))
    graph.output.append(helper.make_tensor_value_info("mouth", TensorProto.UINT8, picture))
    for trace in ("producer_name", "producer_version", "doc_string", "metadata_props"):
        model.ClearField(trace)
    return model


def net_inputs(crops: NDArray[np.uint8], mels: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same steps in NumPy, to check the graph by: mel (n, 1, 80, 16) and face (n, 6, s, s)."""
    whole = crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    upper = whole.copy()
    upper[:, :, crops.shape[1] // 2 :] = 0
    return mels[:, None], np.concatenate([upper, whole], axis=1)


def picture_levels(pictures: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """(n, 3, s, s) BGR in 0..1 -> (n, s, s, 3) RGB."""
    rgb = np.clip(pictures.astype(np.float32), 0, 1)[:, ::-1].transpose(0, 2, 3, 1)
    return np.asarray(np.rint(rgb * np.float32(255)), np.uint8)
