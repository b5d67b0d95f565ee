"""A served graph in 8 bits: calibrated with pairs of a user's footage, and refused where that shows or does not pay.

ONNX Runtime's static quantisation: weights with a scale for each channel, activations by the extremes that they reach.
What touches pixels stays in floats: the first convolution of the face, the last two, and the sigmoid; so does the end
of the encoder of the sound.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from services.errors import ChorusError, ErrorKind
from services.importing.checking import session_of
from services.importing.containers import short
from services.importing.eight_bits import rewritten

LEAST_PAIRS: Final = 100
"""Of faces and sounds: what a few seconds show says little of what else a net meets"""
LEAST_PSNR: Final = 38.0
"""dB in the mouth, over all pairs that calibration has not seen"""
LEAST_AGREEMENT: Final = 0.98
"""Correlation of what the sound moves in the mouth: what 8 bits add must be small against that as well"""
LEAST_GAIN: Final = 1.2
"""Times as fast; less is not worth any error"""
_MOST_TRIED: Final = 96
"""Pairs by which the two are compared"""
_CALIBRATING_SECONDS: Final = 240
_SILENT: Final = -4.0
"""Mel of digital silence"""
_MOUTH: Final = (slice(0.5, 0.95), slice(0.2, 0.8))
"""Rows and columns of the mouth and what moves with it, shares of a crop's side"""
_QUANTISED: Final = ["Conv", "Add", "Relu", "LeakyRelu", "Concat", "DepthToSpace"]
_TIMED: Final = 5
_ROWS: Final = 8
"""Faces of one run, as a render asks for them"""


class Session(Protocol):
    """What computes a graph: ONNX Runtime's, or importing.openvino's."""

    def run(self, outputs: list[str], inputs: dict[str, NDArray[np.generic]], /) -> Sequence[NDArray[np.generic]]:
        """The arrays of these outputs."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Faces as the net sees them, with the sound of the same moment."""

    crops: NDArray[np.uint8]
    """(n, side, side, 3) RGB"""
    mels: NDArray[np.float32]
    """(n, 80, 16)"""
    tried: NDArray[np.bool_]
    """(n,) True: kept from calibration, to compare by"""

    def __len__(self) -> int:
        return len(self.crops)

    def part(self, wanted: NDArray[np.integer[Any]]) -> dict[str, NDArray[np.generic]]:
        """The inputs of the served graph."""
        return {"crop": self.crops[wanted], "mel": self.mels[wanted]}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of a graph in fewer bits, on pairs that its calibration has not seen."""

    psnr: float
    """dB in the mouth, against floats"""
    agreement: float
    """Correlation of what the sound moves"""
    gain: float
    """Times as fast as floats, on this machine, one thread"""
    pairs: int
    """By which it was calibrated; none where nothing is"""
    tried: int
    """By which it was compared"""


def read_pairs(path: Path) -> Pairs:
    """As write_pairs has left them."""
    with np.load(path, allow_pickle=False) as found:
        return Pairs(found["crops"], found["mels"], found["tried"])


def refusal(found: Comparison, engine: str, name: str) -> ChorusError | None:
    """Why a graph that `engine` computes so is not to be served, INVALID_INPUT; None where it is good."""
    if found.psnr < LEAST_PSNR or not found.agreement >= LEAST_AGREEMENT:
        return ChorusError(
            ErrorKind.INVALID_INPUT,
            "fewer-bits-show",
            engine=engine,
            name=name,
            psnr=f"{found.psnr:.1f}",
            least_psnr=LEAST_PSNR,
            agreement=f"{found.agreement:.3f}",
            least_agreement=LEAST_AGREEMENT,
        )
    if found.gain < LEAST_GAIN:
        gain = f"{found.gain:.2f}"
        return ChorusError(
            ErrorKind.INVALID_INPUT, "fewer-bits-slow", engine=engine, name=name, gain=gain, least=LEAST_GAIN
        )
    return None


def check_enough(pairs: Pairs) -> None:
    """INVALID_INPUT when they are too few to calibrate and to compare by."""
    if len(pairs) < LEAST_PAIRS or not pairs.tried.any() or pairs.tried.all():
        raise ChorusError(ErrorKind.INVALID_INPUT, "fewer-bits-few-pairs", found=len(pairs), least=LEAST_PAIRS)


def measured(model: onnx.ModelProto, pairs: Pairs, most_rows: int, name: str) -> tuple[onnx.ModelProto, Comparison]:
    """The graph in 8 bits, however good; INVALID_INPUT when it cannot be made.

    `most_rows` are the faces that one run of the model may hold.
    """
    try:
        floats = session_of(model)
        calibrating = _calibrating(floats, pairs)
        made = _quantised(model, pairs, calibrating)
        found = compared(floats, session_of(made), pairs, most_rows, calibrated=len(calibrating))
    except Exception as error:  # those of ONNX Runtime and its quantiser share no class
        raise ChorusError(ErrorKind.INVALID_INPUT, "fewer-bits-impossible", name=name, reason=short(error)) from error
    return made, found


def _calibrating(session: onnxruntime.InferenceSession, pairs: Pairs) -> NDArray[np.int64]:
    """Those of the pairs to calibrate by, spread over all: as many as there is time for."""
    free = np.flatnonzero(~pairs.tried)
    started = time.perf_counter()
    session.run(None, pairs.part(free[:1]))
    # With all that lies between the layers written out a run takes several times as long.
    most = max(LEAST_PAIRS // 2, int(_CALIBRATING_SECONDS / 5 / (time.perf_counter() - started)))
    return free[np.unique(np.linspace(0, len(free) - 1, min(most, len(free))).astype(np.int64))]


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """One pair after the other."""

    def __init__(self, pairs: Pairs, wanted: NDArray[np.int64]) -> None:
        self._inputs = self._each(pairs, wanted)

    @staticmethod
    def _each(pairs: Pairs, wanted: NDArray[np.int64]) -> Iterator[dict[str, NDArray[np.generic]]]:
        for place in range(len(wanted)):
            yield pairs.part(wanted[place : place + 1])

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        """The next inputs, None behind the last."""
        return next(self._inputs, None)


def _quantised(model: onnx.ModelProto, pairs: Pairs, wanted: NDArray[np.int64]) -> onnx.ModelProto:
    ready = rewritten(model)
    for number, node in enumerate(ready.graph.node):
        node.name = node.name or f"node{number}"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "eight_bits.onnx"
        quantize_static(
            ready,
            path,
            _Reader(pairs, wanted),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_in_floats(ready),
        )
        made = onnx.load_model(path)
    if not any(tensor.data_type == onnx.TensorProto.INT8 for tensor in made.graph.initializer):
        raise ValueError("it has nothing that could be")
    for trace in ("producer_name", "producer_version", "doc_string", "metadata_props"):
        made.ClearField(trace)
    return made


def _in_floats(model: onnx.ModelProto) -> list[str]:
    """The nodes that stay as they are."""
    face, sound = {"crop"}, {"mel"}
    convolutions, of_face, of_sound = list[str](), list[str](), list[str]()
    outside = []
    for node in model.graph.node:
        for reached in (face, sound):
            if reached.intersection(node.input):
                reached.update(node.output)
        if not any("/" in name for name in (*node.input, *node.output)):
            outside.append(node.name)  # a step before or behind the net
        if node.op_type == "Conv":
            convolutions.append(node.name)
            if face.intersection(node.input):
                of_face.append(node.name)
            elif sound.intersection(node.input) and _is_point(node):
                of_sound.append(node.name)
    return [*outside, *of_face[:1], *convolutions[-2:], *of_sound]


def _is_point(node: onnx.NodeProto) -> bool:
    """Whether it is a convolution of 1 x 1."""
    return any(each.name == "kernel_shape" and set(each.ints) == {1} for each in node.attribute)


def compared(floats: Session, fewer: Session, pairs: Pairs, most_rows: int, *, calibrated: int) -> Comparison:
    """Two sessions of the same net, on pairs that calibration has not seen."""
    rows = min(most_rows, _ROWS)
    tried = np.flatnonzero(pairs.tried)
    tried = tried[np.unique(np.linspace(0, len(tried) - 1, min(_MOST_TRIED, len(tried))).astype(np.int64))]
    spoken, silent = dict[str, NDArray[np.float64]](), dict[str, NDArray[np.float64]]()
    quiet = Pairs(pairs.crops, np.full_like(pairs.mels, _SILENT), pairs.tried)
    for name, session in (("floats", floats), ("fewer", fewer)):
        spoken[name] = _mouths(session, pairs, tried, rows)
        silent[name] = _mouths(session, quiet, tried, rows)
    error = float(np.square(spoken["floats"] - spoken["fewer"]).mean())
    moved = np.stack([(spoken[name] - silent[name]).ravel() for name in ("floats", "fewer")])
    still = bool((moved.std(axis=1) == 0).any())
    return Comparison(
        psnr=99.0 if error == 0 else min(99.0, float(10 * np.log10(255**2 / error))),
        agreement=0.0 if still else float(np.asarray(np.corrcoef(moved))[0, 1]),
        gain=_gain(floats, fewer, pairs.part(tried[:rows])),
        pairs=calibrated,
        tried=len(tried),
    )


def _mouths(session: Session, pairs: Pairs, wanted: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    """(n, h, w, 3) levels of the mouths that it paints."""
    side = pairs.crops.shape[1]
    down, across = (slice(round(part.start * side), round(part.stop * side)) for part in _MOUTH)
    parts = [wanted[start : start + rows] for start in range(0, len(wanted), rows)]
    painted = [session.run(["mouth"], pairs.part(part))[0][:, down, across] for part in parts]
    return np.concatenate(painted).astype(np.float64)


def _gain(floats: Session, fewer: Session, inputs: dict[str, NDArray[np.generic]]) -> float:
    """How many times as fast; in turn, so that what else the machine does meets both."""
    took: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(_TIMED):
        for number, session in enumerate((floats, fewer)):
            started = time.process_time()
            session.run(["mouth"], inputs)
            took[number].append(time.process_time() - started)
    return median(took[0]) / max(median(took[1]), 1e-9)
