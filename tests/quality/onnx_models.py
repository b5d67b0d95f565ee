"""The models of model_repository/ in this process: measuring needs no running Triton."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

REPOSITORY = Path(__file__).parents[2] / "model_repository"


class OnnxModels:
    """Answers like services.triton.TritonClient.infer, with ONNX Runtime on one thread."""

    def __init__(self) -> None:
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        """Run a batch (first axis) through `model`."""
        if model not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            path = REPOSITORY / model / "1" / "model.onnx"
            self._sessions[model] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return dict(zip(outputs, self._sessions[model].run(list(outputs), dict(inputs)), strict=True))
