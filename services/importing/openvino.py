"""A graph computed by OpenVINO, which the extra [openvino] brings: how it is measured here is how Triton runs it.

services/local/backends/onnxruntime/openvino_session.py has the same properties.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import openvino
from numpy.typing import NDArray

PROPERTIES: Final[Mapping[str, Any]] = {"NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}


def counts_in_bfloat16() -> bool:
    """Whether the processor does; elsewhere such a session computes in 32 bits."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoSession:
    """One thread; what is not in 8 bits is computed in bfloat16 where the processor has it."""

    def __init__(self, model: bytes) -> None:
        core = openvino.Core()
        hint = "bf16" if counts_in_bfloat16() else "f32"
        given = {**PROPERTIES, "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": hint}
        self._request = core.compile_model(core.read_model(model), "CPU", given).create_infer_request()

    def run(self, outputs: list[str], inputs: dict[str, NDArray[np.generic]]) -> Sequence[NDArray[np.generic]]:
        """See quantising.Session."""
        answer = self._request.infer(inputs)
        return [answer[name] for name in outputs]
