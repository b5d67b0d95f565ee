"""MediaPipe's three custom operators of the attention mesh, written with standard ONNX nodes.

What they do is read from MediaPipe's sources (Apache-2.0, util/tflite/operations): a head looks at the part of the
feature map that lies under its own landmarks, upright and scaled, and its points are then mapped back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from export.onnx_graph import GraphBuilder
from export.tflite_reader import Operator
from export.tflite_to_onnx import Rewrite, TfliteRewriter, elementwise


def _transform_matrix(rewriter: TfliteRewriter, operator: Operator) -> str:
    """Landmarks (b, n, 3) -> the affine (b, 2, 3) from the head's own grid to the feature map.

    TFLite hands on a 4 x 4 matrix; the rows and columns left out here are those of the identity.
    """
    options, builder = operator.custom_options(), rewriter.builder
    width, height = options["output_width"], options["output_height"]
    points = builder.slice(rewriter.value(operator.inputs[0]), 2, 0, 2)
    axis = _unit_axis(builder, points, options["left_rotation_idx"], options["right_rotation_idx"])
    subset = np.array(options["subset_idxs"], np.int64).reshape(-1)
    chosen = builder.node("Gather", points, builder.constant(subset), axis=1)
    upright = builder.node("MatMul", chosen, axis)
    low = builder.node("ReduceMin", upright, axes=[1], keepdims=1)
    high = builder.node("ReduceMax", upright, axes=[1], keepdims=1)
    middle = builder.node("Mul", builder.node("Add", low, high), builder.constant(0.5))
    back = builder.node("Transpose", axis, perm=(0, 2, 1))
    centre = builder.node("MatMul", middle, back)
    steps = builder.constant(np.array([options["scale_x"] / width, options["scale_y"] / height], np.float32))
    pixel = builder.node("Mul", builder.node("Sub", high, low), steps)
    linear = builder.node("Mul", axis, pixel)
    half = builder.constant(np.array([[width / 2], [height / 2]], np.float32))
    shift = builder.node("Sub", builder.node("Transpose", centre, perm=(0, 2, 1)), builder.node("MatMul", linear, half))
    return builder.node("Concat", linear, shift, axis=2)


def _unit_axis(builder: GraphBuilder, points: str, left: int, right: int) -> str:
    """(b, 2, 2), columns: the direction from the left to the right landmark, and the one across it."""
    ends = [builder.node("Gather", points, builder.constant([index]), axis=1) for index in (left, right)]
    difference = builder.node("Sub", ends[1], ends[0])
    along = builder.node("Div", difference, builder.node("ReduceL2", difference, axes=[2], keepdims=1))
    turn = builder.constant(np.array([[0, 1], [-1, 0]], np.float32))
    across = builder.node("MatMul", along, turn)
    return builder.node("Transpose", builder.node("Concat", along, across, axis=1), perm=(0, 2, 1))


def _sample_features(rewriter: TfliteRewriter, operator: Operator) -> str:
    """The feature map (b, c, h, w) looked at through the affine, bilinearly, zero outside."""
    options, builder = operator.custom_options(), rewriter.builder
    width, height = options["output_width"], options["output_height"]
    _, map_height, map_width, _ = rewriter.graph.shape(operator.inputs[0])
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    cells = np.stack([x.reshape(-1), y.reshape(-1), np.ones(width * height)]).astype(np.float32)
    places = builder.node("MatMul", rewriter.value(operator.inputs[1]), builder.constant(cells))
    to_unit = builder.constant(np.array([[2 / map_width], [2 / map_height]], np.float32))
    unit = builder.node("Sub", builder.node("Mul", places, to_unit), builder.constant(1.0))
    grid = builder.node("Transpose", unit, perm=(0, 2, 1))
    grid = builder.node("Reshape", grid, builder.constant([0, height, width, 2]))
    features = rewriter.value(operator.inputs[0])
    return builder.node("GridSample", features, grid, mode="bilinear", padding_mode="zeros", align_corners=0)


def _transform_landmarks(rewriter: TfliteRewriter, operator: Operator) -> str:
    """Landmarks (b, n, 2 or 3) through the affine; a third coordinate stays."""
    builder = rewriter.builder
    points, matrix = (rewriter.value(number) for number in operator.inputs)
    has_depth = rewriter.graph.shape(operator.inputs[0])[-1] == 3
    flat = builder.slice(points, 2, 0, 2) if has_depth else points
    linear = builder.node("Transpose", builder.slice(matrix, 2, 0, 2), perm=(0, 2, 1))
    shift = builder.node("Transpose", builder.slice(matrix, 2, 2, 3), perm=(0, 2, 1))
    moved = builder.node("Add", builder.node("MatMul", flat, linear), shift)
    return builder.node("Concat", moved, builder.slice(points, 2, 2, 3), axis=2) if has_depth else moved


def _strided_slice(rewriter: TfliteRewriter, operator: Operator) -> str:
    """The one slice of the model, which takes everything."""
    before, after = rewriter.graph.shape(operator.inputs[0]), rewriter.graph.shape(operator.outputs[0])
    begin, step = rewriter.weight(operator.inputs[1]), rewriter.weight(operator.inputs[3])
    if before != after or begin.any() or (step != 1).any():
        message = f"a strided slice from {before} to {after} is not known to this converter"
        raise ValueError(message)
    return rewriter.value(operator.inputs[0])


def _multiply(rewriter: TfliteRewriter, operator: Operator) -> str:
    """Scales a head's 4 x 4 matrix entry by entry: of the factor too, only the entries that we keep count."""
    if rewriter.graph.shape(operator.outputs[0])[1:] != (4, 4):
        return elementwise(rewriter, operator)
    factor = rewriter.weight(operator.inputs[1])[:, :2][:, :, [0, 1, 3]]
    return rewriter.builder.node("Mul", rewriter.value(operator.inputs[0]), rewriter.builder.constant(factor))


ATTENTION_OPS: Final[Mapping[str, Rewrite]] = {
    "Landmarks2TransformMatrix": _transform_matrix,
    "MUL": _multiply,
    "STRIDED_SLICE": _strided_slice,
    "TransformLandmarks": _transform_landmarks,
    "TransformTensorBilinear": _sample_features,
}
