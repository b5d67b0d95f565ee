"""The three served graphs against the nets that they were made of, on what torch has computed in 32 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.importing.containers import short

MOST_STEPS: Final = 8
"""Of 255, anywhere in a picture: weights in 16 bits are off by up to 1/2048, and a net has a hundred layers"""
MOST_MEAN: Final = 0.5
"""Of 255, over the whole picture: as much as rounding to a level costs at most"""
MOST_STATES: Final = 1e-4
"""Of the largest state, which is computed in 32 bits"""
MOST_LATENTS: Final = 0.02
"""Of the largest of the latents"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What went into the nets in torch, and what came out."""

    samples: NDArray[np.float32]
    crop: NDArray[np.uint8]
    latents: NDArray[np.float32]
    """Those of the crop, once for each sound"""
    sound: NDArray[np.float32]
    states: NDArray[np.float32]
    seen: NDArray[np.float32]
    pictures: NDArray[np.float32]
    """(2, 256, 256, 3) levels of 255, not yet rounded"""


def check_nets(wanted: Wanted, name: str) -> None:
    """INVALID_INPUT when the nets themselves give no pictures, or two sounds make the same mouth."""
    levels = np.rint(wanted.pictures)
    if not all(np.isfinite(each).all() for each in (wanted.states, wanted.seen, levels)):
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-no-picture", name=name)
    if np.array_equal(levels[0], levels[1]):
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-deaf", name=name)


def largest_step(mouth: Path, latents: Path, sound: Path, wanted: Wanted, name: str) -> int:
    """By how many of 255 levels the served mouth differs at most from the net's.

    INVALID_INPUT when a graph cannot run, or differs by too much.
    """
    _check(_run(sound, {"samples": wanted.samples}, name), wanted.states, MOST_STATES, "sound", name)
    _check(_run(latents, {"crop": wanted.crop}, name), wanted.seen, MOST_LATENTS, "latents", name)
    given = _run(mouth, {"latents": wanted.latents, "sound": wanted.sound}, name).astype(np.float32)
    steps, mean = int(np.abs(given - np.rint(wanted.pictures)).max()), float(np.abs(given - wanted.pictures).mean())
    if steps > MOST_STEPS or mean > MOST_MEAN:
        most = f"{MOST_STEPS} at most and {MOST_MEAN} in the mean"
        found = f"{steps} at most and {mean:.2f} in the mean"
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-differs", name=name, steps=found, most=most)
    return steps


def _check(given: NDArray[Any], wanted: NDArray[np.float32], most: float, part: str, name: str) -> None:
    share = float(np.abs(given - wanted).max() / np.abs(wanted).max())
    if not share <= most:
        raise ChorusError(
            ErrorKind.INVALID_INPUT, "import-part-inexact", name=name, part=part, found=f"{share:.1e}", most=f"{most:g}"
        )


def _run(path: Path, given: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """Of the model at `path`, which this process has written; a row at a time, as it was not traced."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 2, 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        rows = range(len(next(iter(given.values()))))
        found = [session.run(None, {key: array[row : row + 1] for key, array in given.items()})[0] for row in rows]
    except Exception as error:  # ONNX Runtime's own errors share no class
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-cannot-run", name=name, reason=short(error)) from error
    return np.concatenate(found)
