"""A small net with a Wav2Lip's ends, made without torch: it gives back its face, with a mouth painted as it hears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MOUTH = (0.5, 0.69)
"""Centre of the painted mouth, shares of the width and the height of the face"""


def mouth_shape(side: int) -> NDArray[np.float32]:
    """(1, 1, side, side) 0..1: a soft ellipse."""
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side
    distance = np.hypot((columns - MOUTH[0]) / 0.13, (rows - MOUTH[1]) / 0.06)
    return np.asarray(np.clip((1.3 - distance) / 0.6, 0, 1), np.float32)[None, None]


def painting_net(side: int = 96, *, batch: int | str = "batch", opset: int = 17) -> onnx.ModelProto:
    """picture = whole face, in the mouth's shape mixed with dark red by how loud the 16 columns are."""
    constants: dict[str, NDArray[np.generic]] = {
        "first": np.array([3], np.int64),
        "last": np.array([6], np.int64),
        "axis": np.array([1], np.int64),
        "shape": mouth_shape(side),
        "red": np.array([0.10, 0.08, 0.35], np.float32).reshape(1, 3, 1, 1),
        "four": np.array(4, np.float32),
        "eight": np.array(8, np.float32),
        "one": np.array(1, np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["video", "first", "last", "axis"], ["whole"]),
        helper.make_node("ReduceMean", ["sound"], ["level"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Add", ["level", "four"], ["above"]),
        helper.make_node("Div", ["above", "eight"], ["loud"]),
        helper.make_node("Mul", ["shape", "loud"], ["share"]),
        helper.make_node("Sub", ["one", "share"], ["rest"]),
        helper.make_node("Mul", ["whole", "rest"], ["kept"]),
        helper.make_node("Mul", ["red", "share"], ["painted"]),
        helper.make_node("Add", ["kept", "painted"], ["lips"]),
    ]
    graph = helper.make_graph(
        nodes,
        "painting",
        [
            helper.make_tensor_value_info("sound", TensorProto.FLOAT, [batch, 1, 80, 16]),
            helper.make_tensor_value_info("video", TensorProto.FLOAT, [batch, 6, side, side]),
        ],
        [helper.make_tensor_value_info("lips", TensorProto.FLOAT, [batch, 3, side, side])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


def write_painting_net(path: Path, side: int = 96, **options: int | str) -> Path:
    """The net in a file."""
    onnx.save(painting_net(side, **options), path)  # type: ignore[arg-type]
    return path
