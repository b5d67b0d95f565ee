"""What computes an imported net: the fastest of the engines here whose mouths, on the user's footage, stay the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

import onnx

from services.errors import ChorusError, ErrorKind
from services.importing.checking import session_of
from services.importing.containers import short
from services.importing.quantising import Comparison, Pairs, check_enough, compared, measured, refusal

_TITLES: Final = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to compute a net in fewer bits than it came with."""

    library: str
    """onnxruntime or openvino"""
    precision: str
    """int8 or bfloat16"""
    model: onnx.ModelProto
    found: Comparison

    @property
    def title(self) -> str:
        """For a person."""
        return f"{_TITLES[self.library]} in {self.precision}"


def fastest(model: onnx.ModelProto, pairs: Pairs, most_rows: int, name: str) -> tuple[Engine | None, list[ChorusError]]:
    """The engine to serve `model` with, None where floats are best, and why each other was refused.

    `most_rows` are the faces that one run of the model may hold. INVALID_INPUT when there are too few pairs.
    """
    check_enough(pairs)
    good, refused = list[Engine](), list[ChorusError]()

    def judged(make: Callable[[], Engine]) -> Engine | None:
        try:
            engine = make()
        except ChorusError as error:
            refused.append(error)
            return None
        if (problem := refusal(engine.found, engine.title, name)) is None:
            good.append(engine)
        else:
            refused.append(problem)
        return engine

    eight = judged(lambda: Engine("onnxruntime", "int8", *measured(model, pairs, most_rows, name)))
    if find_spec("openvino") is not None:
        from services.importing.openvino import counts_in_bfloat16

        if counts_in_bfloat16():
            judged(lambda: _by_openvino("bfloat16", model, model, pairs, most_rows, name))
        if eight is not None:
            judged(lambda: _by_openvino("int8", model, eight.model, pairs, most_rows, name, eight.found.pairs))
    return max(good, key=lambda engine: engine.found.gain, default=None), refused


def _by_openvino(
    precision: str,
    model: onnx.ModelProto,
    made: onnx.ModelProto,
    pairs: Pairs,
    most_rows: int,
    name: str,
    calibrated: int = 0,
) -> Engine:
    """`made` as OpenVINO computes it, against `model` in floats."""
    from services.importing.openvino import OpenVinoSession

    try:
        session = OpenVinoSession(made.SerializeToString())
        found = compared(session_of(model), session, pairs, most_rows, calibrated=calibrated)
    except Exception as error:  # those of both libraries share no class
        raise ChorusError(
            ErrorKind.INVALID_INPUT, "fewer-bits-impossible", name=name, reason=f"OpenVINO: {short(error)}"
        ) from error
    return Engine("openvino", precision, made, found)
