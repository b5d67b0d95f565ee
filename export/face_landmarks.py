"""face_landmarks: MediaPipe's face mesh with attention, its heads merged into 478 points inside the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx

from export.attention_ops import ATTENTION_OPS
from export.joined_heads import JoinedHeads
from export.onnx_graph import GraphBuilder, Tensor
from export.tflite_reader import TfliteGraph
from export.tflite_to_onnx import TfliteRewriter

SIDE: Final = 192
MESH_POINTS: Final = 468

# Which mesh points the heads place better, in the heads' order (MediaPipe's configuration, Apache-2.0).
LIPS: Final = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
    *(76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408),
    *(62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407),
)
LEFT_EYELIDS: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
LEFT_EYE: Final = (
    *LEFT_EYELIDS,
    *(130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190),
    *(226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189),
    *(35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245),
    *(156, 70, 63, 105, 66, 107, 55, 193),
)
RIGHT_EYELIDS: Final = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)
RIGHT_EYE: Final = (
    *RIGHT_EYELIDS,
    *(359, 255, 339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414),
    *(446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413),
    *(265, 353, 276, 283, 282, 295, 372, 340, 346, 347, 348, 349, 350, 357, 465),
    *(383, 300, 293, 334, 296, 336, 285, 417),
)
LEFT_IRIS: Final = tuple(range(468, 473))
RIGHT_IRIS: Final = tuple(range(473, 478))
HEADS: Final = {
    "output_lips": LIPS,
    "output_left_eye": LEFT_EYE,
    "output_right_eye": RIGHT_EYE,
    "output_left_iris": LEFT_IRIS,
    "output_right_iris": RIGHT_IRIS,
}

# The last tensors of the heads that are alike; each has a convolution of its own behind it.
_HEADS_END: Final = tuple(f"p_re_lu_{number}" for number in (32, 45, 65, 52, 72))


def build(source: Path) -> onnx.ModelProto:
    """The served model from the TFLite file."""
    builder = GraphBuilder()
    pixels = builder.node("Transpose", builder.node("Cast", "crop", to=onnx.TensorProto.FLOAT), perm=(0, 3, 1, 2))
    scaled = builder.node("Mul", pixels, builder.constant(1 / 255))
    graph = JoinedHeads(TfliteGraph(source), "TransformTensorBilinear", _HEADS_END)
    raw = TfliteRewriter(graph, builder, ATTENTION_OPS).run(scaled)
    certainty = builder.node("Reshape", raw["conv_faceflag"], builder.constant([0, 1]))
    presence = builder.node("Sigmoid", certainty)
    return builder.model(
        "face_landmarks",
        [Tensor("crop", np.uint8, (SIDE, SIDE, 3))],
        [
            (Tensor("landmarks", np.float32, (RIGHT_IRIS[-1] + 1, 3)), _merge(builder, raw)),
            (Tensor("presence", np.float32, (1,)), presence),
            (Tensor("certainty", np.float32, (1,)), certainty),
        ],
    )


def _merge(builder: GraphBuilder, raw: dict[str, str]) -> str:
    """(batch, 478, 3): x and y of the last head that knows a point, depth of the mesh, of the eyelids for an iris."""
    mesh = builder.node("Reshape", raw["output_mesh_identity"], builder.constant([0, MESH_POINTS, 3]))
    places = [builder.slice(mesh, 2, 0, 2)]
    places += [builder.node("Reshape", raw[head], builder.constant([0, len(HEADS[head]), 2])) for head in HEADS]
    merged = builder.node("Gather", builder.node("Concat", *places, axis=1), builder.constant(merge_order()), axis=1)
    depth = builder.slice(mesh, 2, 2, 3)
    irises = [_iris_depth(builder, depth, eyelids) for eyelids in (LEFT_EYELIDS, RIGHT_EYELIDS)]
    return builder.node("Concat", merged, builder.node("Concat", depth, *irises, axis=1), axis=2)


def _iris_depth(builder: GraphBuilder, depth: str, eyelids: tuple[int, ...]) -> str:
    """The eyelids' mean depth for each of the five iris points."""
    lids = builder.node("Gather", depth, builder.constant(list(eyelids)), axis=1)
    mean = builder.node("ReduceMean", lids, axes=[1], keepdims=1)
    return builder.node("Concat", *[mean] * len(LEFT_IRIS), axis=1)


def merge_order() -> list[int]:
    """For each of the 478 points its row among the mesh's and then the heads' points, one after the other."""
    order = list(range(RIGHT_IRIS[-1] + 1))
    row = MESH_POINTS
    for points in HEADS.values():
        for point in points:
            order[point] = row
            row += 1
    return order
