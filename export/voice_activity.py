"""voice_activity: the Silero voice activity detector over many steps at once, its state carried from call to call."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from export.onnx_graph import GraphBuilder, Tensor

STEP: Final = 512
"""Samples at 16 kHz that give one probability"""
CONTEXT: Final = 64
"""Samples before a step that it hears, too"""
HIDDEN: Final = 128
_BINS: Final = 129
_STRIDES: Final = (1, 2, 2, 1)


def build(source: Path) -> onnx.ModelProto:
    """The served model with the weights of the wheel's ONNX file, which takes one step a call."""
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(source).graph.initializer}
    builder = GraphBuilder()
    encoded = _encode(builder, _steps(builder), weights)
    probabilities, state = _remember(builder, encoded, weights)
    return builder.model(
        "voice_activity",
        [Tensor("samples", np.float32, ("samples",)), Tensor("state", np.float32, (2, HIDDEN))],
        [
            (Tensor("voice", np.float32, ("steps",)), probabilities),
            (Tensor("next_state", np.float32, (2, HIDDEN)), state),
        ],
    )


def _steps(builder: GraphBuilder) -> str:
    """samples (batch, 64 + 512 steps) -> (batch * steps, 1, 640): context, step, and 64 samples mirrored at its end."""
    grid = builder.constant([0, -1, STEP])
    before = builder.node("Reshape", builder.slice("samples", 1, 0, -CONTEXT), grid)
    after = builder.node("Reshape", builder.slice("samples", 1, CONTEXT, np.iinfo(np.int64).max), grid)
    whole = builder.node("Concat", builder.slice(before, 2, 0, CONTEXT), after, axis=2)
    mirrored = builder.node("Pad", whole, builder.constant([0, 0, 0, 0, 0, CONTEXT]), mode="reflect")
    return builder.node("Reshape", mirrored, builder.constant([-1, 1, CONTEXT + STEP + CONTEXT]))


def _encode(builder: GraphBuilder, steps: str, weights: dict[str, NDArray[np.generic]]) -> str:
    """Four spectra of each step, and four convolutions that make one row of them: (batch * steps, 128, 1)."""
    basis = builder.constant(weights["model.stft.forward_basis_buffer"])
    waves = builder.node("Conv", steps, basis, strides=[STEP // 4])
    real, imaginary = builder.slice(waves, 1, 0, _BINS), builder.slice(waves, 1, _BINS, 2 * _BINS)
    power = builder.node("Add", *(builder.node("Mul", part, part) for part in (real, imaginary)))
    encoded = builder.node("Sqrt", power)
    for layer, stride in enumerate(_STRIDES):
        names = [f"model.encoder.{layer}.reparam_conv.{kind}" for kind in ("weight", "bias")]
        constants = [builder.constant(weights[name]) for name in names]
        encoded = builder.node("Relu", builder.node("Conv", encoded, *constants, strides=[stride], pads=[1, 1]))
    return encoded


def _remember(builder: GraphBuilder, encoded: str, weights: dict[str, NDArray[np.generic]]) -> tuple[str, str]:
    """The LSTM over the steps and its head: probabilities (batch, steps) and the state after the last of them."""
    batch = builder.node("Slice", builder.node("Shape", "state"), builder.constant([0]), builder.constant([1]))
    by_recording = builder.node("Concat", batch, builder.constant([-1, HIDDEN]), axis=0)
    rows = builder.node("Transpose", builder.node("Reshape", encoded, by_recording), perm=(1, 0, 2))
    states = builder.node("Transpose", "state", perm=(1, 0, 2))
    hidden, last_hidden, last_cell = builder.nodes(
        3,
        "LSTM",
        rows,
        builder.constant(_gates(weights["model.decoder.rnn.weight_ih"])[None]),
        builder.constant(_gates(weights["model.decoder.rnn.weight_hh"])[None]),
        builder.constant(
            np.concatenate([_gates(weights[f"model.decoder.rnn.bias_{way}"]) for way in ("ih", "hh")])[None]
        ),
        "",
        builder.slice(states, 0, 0, 1),
        builder.slice(states, 0, 1, 2),
        hidden_size=HIDDEN,
    )
    # (steps, 1, batch, 128) @ (128, 1)
    head = builder.constant(weights["model.decoder.decoder.2.weight"].reshape(HIDDEN, 1))
    logits = builder.node("MatMul", builder.node("Relu", hidden), head)
    logits = builder.node("Add", logits, builder.constant(weights["model.decoder.decoder.2.bias"]))
    probabilities = builder.node("Sigmoid", builder.node("Squeeze", logits, builder.constant([1, 3])))
    both = builder.node("Concat", last_hidden, last_cell, axis=0)
    return builder.node("Transpose", probabilities, perm=(1, 0)), builder.node("Transpose", both, perm=(1, 0, 2))


def _gates(rows: NDArray[np.generic]) -> NDArray[np.generic]:
    """The gates' rows from the file's order (input, forget, cell, output) in ONNX's (input, output, forget, cell)."""
    given, forget, cell, output = np.split(rows, 4)
    return np.concatenate([given, output, forget, cell])
