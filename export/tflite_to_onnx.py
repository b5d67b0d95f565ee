"""Rewriting a TFLite graph (channels last) as ONNX nodes (channels first) with a free batch axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.joined_heads import JoinedHeads
from export.onnx_graph import GraphBuilder
from export.tflite_reader import Operator, TfliteGraph

_TO_NCHW: Final = (0, 3, 1, 2)
_TO_NHWC: Final = (0, 2, 3, 1)
_NO_ACTIVATION, _RELU = 0, 1
_SAME = 0

Rewrite = Callable[["TfliteRewriter", Operator], str]


class TfliteRewriter:
    """Walks a TFLite graph and appends its operators to `builder`; `custom` adds operators by name."""

    def __init__(
        self, graph: TfliteGraph | JoinedHeads, builder: GraphBuilder, custom: Mapping[str, Rewrite] | None = None
    ) -> None:
        self.graph = graph
        self.builder = builder
        self._rewrites = {**_REWRITES, **(custom or {})}
        self._values: dict[int, str] = {}
        self._weights: dict[int, NDArray[np.generic]] = {}

    def run(self, image: str) -> dict[str, str]:
        """Append everything; `image` is the (batch, channels, height, width) input. Value by output name."""
        self._values[self.graph.inputs[0]] = image
        for operator in self.graph.operators:
            if operator.kind == "SPLIT":
                self._split(operator)
            elif not operator.is_weight:
                self._values[operator.outputs[0]] = self._rewrites[operator.kind](self, operator)
        return {self.graph.name(number): self._values[number] for number in self.graph.outputs}

    def value(self, number: int) -> str:
        """Name of what stands for a TFLite tensor."""
        if number not in self._values:
            weight = self.weight(number)
            self._values[number] = self.builder.constant(weight.transpose(_TO_NCHW) if weight.ndim == 4 else weight)
        return self._values[number]

    def weight(self, number: int) -> NDArray[np.generic]:
        """A constant in TFLite's own layout."""
        if number not in self._weights:
            self._weights[number] = self.graph.weight(number)
        return self._weights[number]

    def activate(self, value: str, activation: int) -> str:
        """Append a fused activation."""
        if activation == _NO_ACTIVATION:
            return value
        if activation == _RELU:
            return self.builder.node("Relu", value)
        message = f"fused activation {activation} is not one that this converter knows"
        raise ValueError(message)

    def _split(self, operator: Operator) -> None:
        """Its outputs are alike."""
        parts = self.builder.nodes(len(operator.outputs), "Split", self.value(operator.inputs[0]), axis=1)
        self._values.update(zip(operator.outputs, parts, strict=True))


def _same_pads(size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]) -> list[int]:
    """TensorFlow's SAME padding as ONNX pads: the odd pixel goes to the end."""
    totals = [max(0, (-(-n // s) - 1) * s + k - n) for n, k, s in zip(size, kernel, stride, strict=True)]
    return [total // 2 for total in totals] + [total - total // 2 for total in totals]


def _pads(options: Any, shape: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int]) -> list[int]:
    return _same_pads((shape[1], shape[2]), kernel, stride) if options.Padding() == _SAME else [0, 0, 0, 0]


def _convolution(rewriter: TfliteRewriter, operator: Operator) -> str:
    depthwise = operator.kind == "DEPTHWISE_CONV_2D"
    options = operator.options("DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
    weight = rewriter.weight(operator.inputs[1]).transpose((3, 0, 1, 2) if depthwise else _TO_NCHW)
    shape = rewriter.graph.shape(operator.inputs[0])
    kernel, stride = weight.shape[2:], (options.StrideH(), options.StrideW())
    if (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
        message = "dilated convolutions are not known to this converter"
        raise ValueError(message)
    value = rewriter.builder.node(
        "Conv",
        rewriter.value(operator.inputs[0]),
        rewriter.builder.constant(weight),
        rewriter.builder.constant(rewriter.weight(operator.inputs[2])),
        kernel_shape=kernel,
        strides=stride,
        pads=_pads(options, shape, (kernel[0], kernel[1]), stride),
        group=shape[3] // weight.shape[1],
    )
    return rewriter.activate(value, options.FusedActivationFunction())


def elementwise(rewriter: TfliteRewriter, operator: Operator) -> str:
    """ADD and MUL."""
    options = operator.options("AddOptions" if operator.kind == "ADD" else "MulOptions")
    left, right = (rewriter.value(number) for number in operator.inputs)
    value = rewriter.builder.node(operator.kind.capitalize(), left, right)
    return rewriter.activate(value, options.FusedActivationFunction())


def _prelu(rewriter: TfliteRewriter, operator: Operator) -> str:
    """slope x + (1 - slope) max(x, 0): ONNX Runtime's PRelu took 41 % of the landmarks' time.

    Both products are depthwise convolutions, so that values stay in the layout of the convolutions around them. Where
    no slope is above 1 the product may come before the maximum, which is then part of its convolution.
    """
    slope = rewriter.weight(operator.inputs[1]).reshape(-1, 1, 1, 1)
    value, node = rewriter.value(operator.inputs[0]), rewriter.builder.node

    def times(factor: str, weight: NDArray[np.generic]) -> str:
        return node("Conv", factor, rewriter.builder.constant(weight), kernel_shape=(1, 1), group=len(weight))

    above = node("Relu", times(value, 1 - slope)) if slope.max() <= 1 else times(node("Relu", value), 1 - slope)
    return node("Add", times(value, slope), above)


def _max_pool(rewriter: TfliteRewriter, operator: Operator) -> str:
    options = operator.options("Pool2DOptions")
    kernel, stride = (options.FilterHeight(), options.FilterWidth()), (options.StrideH(), options.StrideW())
    pads = _pads(options, rewriter.graph.shape(operator.inputs[0]), kernel, stride)
    source = rewriter.value(operator.inputs[0])
    return rewriter.builder.node("MaxPool", source, kernel_shape=kernel, strides=stride, pads=pads)


def _pad(rewriter: TfliteRewriter, operator: Operator) -> str:
    amounts, value = rewriter.weight(operator.inputs[1]), rewriter.value(operator.inputs[0])
    if not amounts[:3].any():
        return _more_channels(rewriter, operator, amounts[3].tolist())
    if amounts[3].any() and operator.groups > 1:
        message = f"padding of several heads by {amounts.tolist()} is not known to this converter"
        raise ValueError(message)
    pads = rewriter.builder.constant(amounts[list(_TO_NCHW)].T.reshape(-1).astype(np.int64))
    return rewriter.builder.node("Pad", value, pads)


def _more_channels(rewriter: TfliteRewriter, operator: Operator, amounts: list[int]) -> str:
    """Channels of zeros before and after: a convolution, so that values stay in the layout of those around it."""
    before, after = amounts
    channels = rewriter.graph.shape(operator.inputs[0])[3] // operator.groups
    kept = np.eye(before + channels + after, channels, -before, dtype=np.float32)[:, :, None, None]
    weight = rewriter.builder.constant(np.tile(kept, (operator.groups, 1, 1, 1)))
    value = rewriter.value(operator.inputs[0])
    return rewriter.builder.node("Conv", value, weight, kernel_shape=(1, 1), group=operator.groups)


def _concatenation(rewriter: TfliteRewriter, operator: Operator) -> str:
    return rewriter.builder.node("Concat", *(rewriter.value(number) for number in operator.inputs), axis=1)


def _resize(rewriter: TfliteRewriter, operator: Operator) -> str:
    options = operator.options("ResizeBilinearOptions")
    if options.AlignCorners():
        message = "a bilinear resize with aligned corners is not known to this converter"
        raise ValueError(message)
    before, after = rewriter.graph.shape(operator.inputs[0]), rewriter.graph.shape(operator.outputs[0])
    scales = np.array([1, 1, after[1] / before[1], after[2] / before[2]], np.float32)
    return rewriter.builder.node(
        "Resize",
        rewriter.value(operator.inputs[0]),
        "",
        rewriter.builder.constant(scales),
        mode="linear",
        coordinate_transformation_mode="half_pixel" if options.HalfPixelCenters() else "asymmetric",
    )


def _depth_to_space(rewriter: TfliteRewriter, operator: Operator) -> str:
    block = operator.options("DepthToSpaceOptions").BlockSize()
    return rewriter.builder.node("DepthToSpace", rewriter.value(operator.inputs[0]), blocksize=block, mode="DCR")


def _reshape(rewriter: TfliteRewriter, operator: Operator) -> str:
    """Reshape in TFLite's own order of axes: channels are last there."""
    value = rewriter.value(operator.inputs[0])
    after = rewriter.graph.shape(operator.outputs[0])
    if len(rewriter.graph.shape(operator.inputs[0])) == 4:
        value = rewriter.builder.node("Transpose", value, perm=_TO_NHWC)
    value = rewriter.builder.node("Reshape", value, rewriter.builder.constant([0, *after[1:]]))
    return rewriter.builder.node("Transpose", value, perm=_TO_NCHW) if len(after) == 4 else value


_REWRITES: Final[Mapping[str, Rewrite]] = {
    "ADD": elementwise,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "DEPTH_TO_SPACE": _depth_to_space,
    "MAX_POOL_2D": _max_pool,
    "MUL": elementwise,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
}
