"""Speech to mouth coefficients: the net over the whole recording, what its raw output needs, sampling at any rate."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import MEL_RATE, Speech
from services.triton import TritonClient

COEFFICIENTS: Final = ("jaw", "close", "wide", "round", "upper", "lower", "fv", "tongue")
CLOSE: Final = COEFFICIENTS.index("close")
FV: Final = COEFFICIENTS.index("fv")

_PIECE = 4096
"""Columns of one request: 51 s, 1.3 MB."""
_MARGIN = 40
"""The net sees 36 columns to either side; what a cut can reach is computed in both pieces and dropped in one."""
_RELEASE = 10
"""Columns (125 ms) in which the mouth comes to rest where a recording ends in the middle of a sound."""


def mouth_coefficients(speech: Speech, triton: TritonClient) -> NDArray[np.float32]:
    """(columns, 8) at 80 a second, 0..1, with the noise gate applied and closures expanded; ends at rest."""
    columns = speech.mel.shape[1]
    gate = noise_gate(speech.level_db)[:columns, None]
    coefficients = _expand_closures(_infer(speech.mel, triton) * gate)
    release = coefficients[-1:] * np.linspace(1, 0, _RELEASE + 1, dtype=np.float32)[1:, None]
    return np.concatenate([coefficients, release])


def noise_gate(level_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """(columns,) 0 where nobody speaks, 1 in speech, from the level over the recording's own noise floor."""
    # Edited recordings hold digital silence, which says nothing about the noise under the speech: nothing that lies
    # 42 dB below the loud parts is speech either.
    floor = max(float(np.percentile(level_db, 10)), float(np.percentile(level_db, 95)) - 42)
    opened = np.clip((level_db.astype(np.float32) - floor - 3) / 6, 0, 1)[None]
    widened = cv2.dilate(opened, np.ones((1, 9), np.uint8), borderType=cv2.BORDER_REPLICATE)
    smoothed: NDArray[np.float32] = cv2.GaussianBlur(widened, (0, 0), 3, borderType=cv2.BORDER_REPLICATE)[0]
    return smoothed


def sample_coefficients(
    coefficients: NDArray[np.float32], frames: NDArray[np.int64], frame_rate: Fraction
) -> NDArray[np.float32]:
    """(m, 8): the coefficients in the middle of each of the m frames; after the last column they stay as it is."""
    frame_seconds = 1 / float(frame_rate)
    middles = (frames + 0.5) * frame_seconds
    sampled = _at(coefficients, middles)
    # A closure of 50 ms can fall between two middles at 25 frames/s: the frame shows the strongest moment it holds.
    near = [_at(coefficients, middles + part * frame_seconds) for part in (-0.3, -0.15, 0.15, 0.3)]
    brief = [CLOSE, FV]
    sampled[:, brief] = np.max([sampled, *near], axis=0)[:, brief]
    return sampled


def _infer(mel: NDArray[np.float32], triton: TritonClient) -> NDArray[np.float32]:
    """Raw output of the net, (columns, 8); the same as in one go, in pieces that bound the requests."""
    columns = mel.shape[1]
    pieces = []
    for start in range(0, columns, _PIECE):
        left = max(0, start - _MARGIN)
        stop = min(start + _PIECE, columns)
        piece = np.ascontiguousarray(mel[None, :, left : stop + _MARGIN])
        output = triton.infer("speech_to_mouth", {"mel": piece}, ["coefficients"])["coefficients"]
        pieces.append(output[0].T[start - left : stop - left])
    return np.concatenate(pieces).astype(np.float32)


def _expand_closures(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """The net hedges on brief events: what it is fairly sure of becomes a full closure, what it doubts becomes none."""
    expanded = coefficients.copy()
    expanded[:, CLOSE] = np.clip((coefficients[:, CLOSE] - 0.22) / 0.40, 0, 1)
    expanded[:, FV] = np.clip((coefficients[:, FV] - 0.20) / 0.45, 0, 1)
    return expanded


def _at(coefficients: NDArray[np.float32], seconds: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(m, 8) between the columns at each of m times."""
    last = len(coefficients) - 1
    position = np.minimum(seconds * MEL_RATE, last)
    before = position.astype(np.int64)
    share = (position - before)[:, None]
    between: NDArray[np.float32] = (
        coefficients[before] * (1 - share) + coefficients[np.minimum(before + 1, last)] * share
    )
    return between.astype(np.float32)
