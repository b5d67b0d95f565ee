"""face_detection: BlazeFace full range, its anchors decoded inside the graph, the 32 best faces handed out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx

from export.onnx_graph import GraphBuilder, Tensor
from export.tflite_reader import TfliteGraph
from export.tflite_to_onnx import TfliteRewriter

SIDE: Final = 192
CELLS: Final = 48
BEST: Final = 32
KEYPOINTS: Final = 6


def build(source: Path) -> onnx.ModelProto:
    """The served model from the TFLite file."""
    builder = GraphBuilder()
    pixels = builder.node("Transpose", builder.node("Cast", "image", to=onnx.TensorProto.FLOAT), perm=(0, 3, 1, 2))
    scaled = builder.node("Sub", builder.node("Mul", pixels, builder.constant(1 / 127.5)), builder.constant(1.0))
    raw = TfliteRewriter(TfliteGraph(source), builder).run(scaled)
    boxes, keypoints, scores = _decode(builder, raw["Identity"], raw["Identity_1"])
    return builder.model(
        "face_detection",
        [Tensor("image", np.uint8, (SIDE, SIDE, 3))],
        [
            (Tensor("boxes", np.float32, (BEST, 4)), boxes),
            (Tensor("keypoints", np.float32, (BEST, KEYPOINTS, 2)), keypoints),
            (Tensor("scores", np.float32, (BEST,)), scores),
        ],
    )


def _decode(builder: GraphBuilder, raw: str, logits: str) -> tuple[str, str, str]:
    """Raw (batch, cells, 16) = offsets of centre, size, six keypoints in pixels; only the best cells are decoded."""
    best, cells = builder.top(builder.node("Squeeze", logits, builder.constant([2])), BEST)
    chosen = builder.node("GatherND", raw, builder.node("Unsqueeze", cells, builder.constant([2])), batch_dims=1)
    chosen = builder.node("Mul", chosen, builder.constant(1 / SIDE))
    anchors = builder.node("Gather", builder.constant(_anchors()), cells)
    centre = builder.node("Add", builder.slice(chosen, 2, 0, 2), anchors)
    half = builder.node("Mul", builder.slice(chosen, 2, 2, 4), builder.constant(0.5))
    corners = builder.node("Sub", centre, half), builder.node("Add", centre, half)
    boxes = builder.node("Concat", *corners, axis=2)
    offsets = builder.node(
        "Reshape", builder.slice(chosen, 2, 4, 4 + 2 * KEYPOINTS), builder.constant([0, 0, KEYPOINTS, 2])
    )
    keypoints = builder.node("Add", offsets, builder.node("Unsqueeze", anchors, builder.constant([2])))
    return boxes, keypoints, builder.node("Sigmoid", best)


def _anchors() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Centres (x, y) of the cells as fractions of the image, row by row."""
    centres = (np.arange(CELLS, dtype=np.float32) + np.float32(0.5)) / np.float32(CELLS)
    x, y = np.meshgrid(centres, centres)
    return np.stack([x.reshape(-1), y.reshape(-1)], axis=1)
