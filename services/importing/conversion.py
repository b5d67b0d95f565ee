"""From a net as ONNX to what is served: wrapped, tried, compared."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.importing.checking import Net, largest_step, session_of
from services.importing.containers import short
from services.importing.foreign import free_batch, read_foreign
from services.importing.served_graph import Ends, served

ROWS: Final = 16
"""Faces of one request; more gain nothing"""


@dataclass(frozen=True, slots=True)
class Converted:
    """A graph that can be served."""

    model: onnx.ModelProto
    side: int
    most_rows: int
    variant: str
    steps: int
    """See checking.largest_step"""


def from_onnx(path: Path, name: str) -> Converted:
    """Another's ONNX file; one made for a single face is served for several when it can do that all the same."""
    net, ends = read_foreign(path, name)
    reference, variant = _alone(net, ends, name), f"ONNX {ends.side}"
    with suppress(ChorusError):
        model = served(free_batch(net), ends)
        return Converted(model, ends.side, ROWS, variant, largest_step(model, ends.side, reference, name))
    model = served(net, ends)
    return Converted(model, ends.side, 1, variant, largest_step(model, ends.side, reference, name, rows=1))


def _alone(net: onnx.ModelProto, ends: Ends, name: str) -> Net:
    """The file as it is, one face at a time."""
    try:
        session = session_of(net)
    except Exception as error:  # ONNX Runtime's own errors share no class
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-cannot-run", name=name, reason=short(error)) from error

    def run(mel: NDArray[np.float32], face: NDArray[np.float32]) -> NDArray[Any]:
        types = {1: np.float32, 10: np.float16}
        given = {ends.mel: mel.astype(types[ends.mel_type]), ends.face: face.astype(types[ends.face_type])}
        return np.asarray(session.run([ends.picture], given)[0])

    return run
