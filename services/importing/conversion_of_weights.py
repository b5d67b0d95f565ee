"""From a checkpoint's tensors to what is served: rebuilt in torch, exported, wrapped, compared with torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto

from services.importing.checking import largest_step
from services.importing.containers import Container
from services.importing.conversion import ROWS, Converted
from services.importing.network import build, to_onnx
from services.importing.served_graph import Ends, served
from services.importing.wav2lip import plan_of
from services.importing.weights import read_weights


def from_weights(path: Path, container: Container, name: str) -> Converted:
    """A checkpoint of one of the Wav2Lip nets that wav2lip.py knows."""
    torch.set_num_threads(1)
    weights = read_weights(path, container, name)
    plan = plan_of({key: tuple(tensor.shape) for key, tensor in weights.items()}, name)
    net = build(plan, weights)
    ends = Ends("mel", "face", "picture", plan.side, TensorProto.FLOAT, TensorProto.FLOAT)
    model = served(to_onnx(net, plan.side), ends)

    def reference(mel: NDArray[np.float32], face: NDArray[np.float32]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(net(torch.from_numpy(mel), torch.from_numpy(face.copy())).numpy())

    steps = largest_step(model, plan.side, reference, name)
    return Converted(model, plan.side, ROWS, f"Wav2Lip {plan.side}", steps)
