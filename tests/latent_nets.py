"""Three small nets with a MuseTalk's ends, made without torch: what one sees in a face, another paints again.

The latents are a face in 64 by 64 pixels. The painted one has a mouth in red, as loud as the recording is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from services.jobs.imported import LATENTS, MUSETALK, SOUND, ImportedFamily, write_manifest
from tests.painting_net import mouth_shape

SIDE: Final = 256
SAMPLES, STATES, WIDTH = 480_000, 1500, 1920
REST: Final = 0.25
"""What the states of digital silence are"""
LOUDNESS: Final = 8.0
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32).reshape(1, 3, 1, 1)
Constants = Mapping[str, NDArray[np.generic]]
_End = tuple[str, TensorProto.DataType, list[int]]


def hearing_net() -> onnx.ModelProto:
    """states = .25 + 8 times the mean of |samples| of each 20 ms, in all 1920 numbers."""
    constants: Constants = {
        "pieces": np.array([-1, STATES, SAMPLES // STATES], np.int64),
        "times": np.array(LOUDNESS, np.float32),
        "rest": np.array(REST, np.float32),
        "width": np.array([1, 1, WIDTH], np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["samples", "pieces"], ["cut"]),
        helper.make_node("Abs", ["cut"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["level"], axes=[2], keepdims=1),
        helper.make_node("Mul", ["level", "times"], ["loud"]),
        helper.make_node("Add", ["loud", "rest"], ["state"]),
        helper.make_node("Tile", ["state", "width"], ["states"]),
    ]
    ends = [("samples", TensorProto.FLOAT, [SAMPLES])], ("states", TensorProto.FLOAT, [STATES, WIDTH])
    return _model(nodes, constants, *ends)


def looking_net() -> onnx.ModelProto:
    """latents: luma of 64 by 64 pixels in four channels, colours of 32 by 32 in three, and nothing in the last."""
    constants: Constants = {
        "most": np.array(255, np.float32),
        "luma": _LUMA,
        "colours": np.eye(4, 3, dtype=np.float32).reshape(4, 3, 1, 1),
    }
    nodes = [
        helper.make_node("Cast", ["crop"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["levels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["planes", "most"], ["picture"]),
        helper.make_node("Conv", ["picture", "luma"], ["grey"]),
        helper.make_node("AveragePool", ["grey"], ["grey64"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("SpaceToDepth", ["grey64"], ["packed"], blocksize=2),
        helper.make_node("AveragePool", ["picture"], ["small"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["small", "colours"], ["coloured"]),
        helper.make_node("Concat", ["packed", "coloured"], ["latents"], axis=1),
    ]
    ends = [("crop", TensorProto.UINT8, [SIDE, SIDE, 3])], ("latents", TensorProto.FLOAT, [8, 32, 32])
    return _model(nodes, constants, *ends)


def painting_net() -> onnx.ModelProto:
    """mouth: the face of the latents, in the mouth's shape mixed with red as far as `sound` is above silence."""
    constants: Constants = {
        **{f"at{place}": np.array([place], np.int64) for place in (0, 4, 7)},
        "axis": np.array([1], np.int64),
        "luma": _LUMA,
        "fourfold": np.array([1, 1, 4, 4], np.float32),
        "eightfold": np.array([1, 1, 8, 8], np.float32),
        "rest": np.array([[[REST]]], np.float32),
        "nought": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "shape": mouth_shape(SIDE),
        "red": np.array([0.55, 0.08, 0.10], np.float32).reshape(1, 3, 1, 1),
        "most": np.array(255, np.float32),
        "flat": np.array([-1, 1, 1, 1], np.int64),
    }
    nodes = [
        helper.make_node("Slice", ["latents", "at0", "at4", "axis"], ["packed"]),
        helper.make_node("Slice", ["latents", "at4", "at7", "axis"], ["small"]),
        helper.make_node("DepthToSpace", ["packed"], ["grey64"], blocksize=2),
        helper.make_node("Resize", ["grey64", "", "fourfold"], ["grey"], mode="linear"),
        helper.make_node("Conv", ["small", "luma"], ["grey32"]),
        helper.make_node("Resize", ["grey32", "", "eightfold"], ["dull"], mode="linear"),
        helper.make_node("Resize", ["small", "", "eightfold"], ["coloured"], mode="linear"),
        helper.make_node("Sub", ["grey", "dull"], ["detail"]),
        helper.make_node("Add", ["coloured", "detail"], ["face"]),
        helper.make_node("ReduceMean", ["sound"], ["level"], axes=[1, 2], keepdims=1),
        helper.make_node("Sub", ["level", "rest"], ["above"]),
        helper.make_node("Clip", ["above", "nought", "one"], ["bounded"]),
        helper.make_node("Reshape", ["bounded", "flat"], ["loud"]),
        helper.make_node("Mul", ["shape", "loud"], ["share"]),
        helper.make_node("Sub", ["red", "face"], ["towards"]),
        helper.make_node("Mul", ["towards", "share"], ["added"]),
        helper.make_node("Add", ["face", "added"], ["spoken"]),
        helper.make_node("Clip", ["spoken", "nought", "one"], ["picture"]),
        helper.make_node("Mul", ["picture", "most"], ["levels"]),
        helper.make_node("Round", ["levels"], ["rounded"]),
        helper.make_node("Transpose", ["rounded"], ["rows"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["rows"], ["mouth"], to=TensorProto.UINT8),
    ]
    ends = [("latents", TensorProto.FLOAT, [8, 32, 32]), ("sound", TensorProto.FLOAT, [50, 384])]
    return _model(nodes, constants, ends, ("mouth", TensorProto.UINT8, [SIDE, SIDE, 3]))


def latent_family(name: str = "latent", *, most_rows: int = 8) -> ImportedFamily:
    """Its manifest."""
    return ImportedFamily(
        name=name,
        licence="CC0-1.0",
        description="Gives back its face with a red mouth",
        side=SIDE,
        most_rows=most_rows,
        variant="hand-made",
        container="onnx",
        source_sha256="5" * 64,
        steps=0,
        method=MUSETALK,
    )


def write_latent_family(repository: Path, name: str = "latent") -> ImportedFamily:
    """The three nets as an import leaves them, for Triton and for the api."""
    family = latent_family(name)
    nets = {name: painting_net(), f"{name}{LATENTS}": looking_net(), f"{name}{SOUND}": hearing_net()}
    for model, net in nets.items():
        (repository / model / "1").mkdir(parents=True)
        onnx.save(net, repository / model / "1" / "model.onnx")
        (repository / model / "config.pbtxt").write_text(_config(model, net, family.most_rows))
    write_manifest(repository / name, family)
    return family


def _model(nodes: list[onnx.NodeProto], constants: Constants, inputs: list[_End], output: _End) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "latent",
        [helper.make_tensor_value_info(name, kind, ["batch", *dims]) for name, kind, dims in inputs],
        [helper.make_tensor_value_info(output[0], output[1], ["batch", *output[2]])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def _config(name: str, net: onnx.ModelProto, most_rows: int) -> str:
    def ends(values: Any) -> str:
        return ", ".join(
            f'{{ name: "{value.name}" data_type: {_TYPES[value.type.tensor_type.elem_type]} dims: '
            f"{[dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]]} }}"
            for value in values
        )

    return (
        f'name: "{name}"\nbackend: "onnxruntime"\nmax_batch_size: {most_rows}\n'
        f"input [ {ends(net.graph.input)} ]\noutput [ {ends(net.graph.output)} ]\n"
        f"instance_group [ {{ count: 1 }} ]\ndynamic_batching {{ max_queue_delay_microseconds: 2000 }}\n"
    )


_TYPES: Final = {TensorProto.FLOAT: "TYPE_FP32", TensorProto.UINT8: "TYPE_UINT8"}
