"""The served graph against the net that it was made of, on a synthetic pair of faces and sounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.importing.containers import short
from services.importing.served_graph import net_inputs, picture_levels
from services.importing.wav2lip import MEL_SHAPE

MOST_STEPS: Final = 1
"""Of 255: what rounding to a whole level may do to two results that differ in the last bits"""

Net = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[Any]]
"""(1, 1, 80, 16) mel and (1, 6, s, s) face -> (1, 3, s, s)"""


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """One thread, from memory: no file of the model's choice is opened."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def synthetic_pair(side: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Two soft random pictures (2, side, side, 3) and two mels (2, 80, 16); always the same."""
    random = np.random.default_rng(20)
    coarse = random.integers(0, 256, (2, side // 16, side // 16, 3), np.uint8)
    crops = np.repeat(np.repeat(coarse, 16, axis=1), 16, axis=2)
    return crops, random.uniform(-4, 4, (2, *MEL_SHAPE)).astype(np.float32)


def largest_step(served: onnx.ModelProto, side: int, net: Net, name: str, rows: int = 2) -> int:
    """By how many of 255 levels the served graph, asked for `rows` of two at once, differs from the net, one by one.

    INVALID_INPUT when it cannot run, gives no picture, takes no notice of the sound, or differs by too much.
    """
    crops, mels = synthetic_pair(side)
    try:
        wanted = np.concatenate([net(*net_inputs(crops[each], mels[each])) for each in (slice(0, 1), slice(1, 2))])
        given = _run(session_of(served), crops, mels, rows)
        mel, face = net_inputs(crops[:1], mels[1:])
        deaf = np.array_equal(net(mel, face), wanted[:1])
    except Exception as error:  # ONNX Runtime's own errors share no class
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-cannot-run", name=name, reason=short(error)) from error
    if wanted.shape != (2, 3, side, side) or not np.isfinite(wanted).all():
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-no-picture", name=name)
    if deaf:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-deaf", name=name)
    steps = int(np.abs(given.astype(np.int16) - picture_levels(wanted)).max())
    if steps > MOST_STEPS:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-differs", name=name, steps=steps, most=MOST_STEPS)
    return steps


def _run(
    session: onnxruntime.InferenceSession, crops: NDArray[np.uint8], mels: NDArray[np.float32], rows: int
) -> NDArray[np.uint8]:
    parts = [slice(start, start + rows) for start in range(0, len(crops), rows)]
    return np.concatenate([session.run(["mouth"], {"crop": crops[part], "mel": mels[part]})[0] for part in parts])
