"""The graph builder: the same calls give the same bytes, and equal constants are stored once."""

from __future__ import annotations

import numpy as np
import pytest

from export.onnx_graph import GraphBuilder, Tensor

onnx = pytest.importorskip("onnx")


def doubled() -> bytes:
    builder = GraphBuilder()
    total = builder.node(
        "Add", builder.node("Mul", "x", builder.constant(2.0)), builder.constant(np.ones(1, np.float32))
    )
    tensors = Tensor("x", np.float32, (3,)), Tensor("y", np.float32, (3,))
    model = builder.model("doubled", [tensors[0]], [(tensors[1], total)])
    return bytes(model.SerializeToString())


def test_same_calls_give_the_same_bytes() -> None:
    assert doubled() == doubled()


def test_equal_constants_are_shared_and_different_types_are_not() -> None:
    builder = GraphBuilder()
    assert builder.constant([1, 2]) == builder.constant(np.array([1, 2], np.int64))
    assert builder.constant(1.0) != builder.constant([1])


def test_batch_axis_is_free() -> None:
    model = onnx.load_from_string(doubled())
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
