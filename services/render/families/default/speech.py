"""Speech to mouth coefficients: the net over the whole recording, what its raw output needs, sampling at any rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.jobs.options import RenderOptions
from services.preprocess.faces import Speech
from services.render.families.columns import columns_at
from services.render.families.silence import TAIL, breath, movement, presence, speaking
from services.triton import TritonClient

COEFFICIENTS: Final = ("jaw", "close", "wide", "round", "upper", "lower", "fv", "tongue")
JAW: Final = COEFFICIENTS.index("jaw")
CLOSE: Final = COEFFICIENTS.index("close")
WIDE: Final = COEFFICIENTS.index("wide")
ROUND: Final = COEFFICIENTS.index("round")
FV: Final = COEFFICIENTS.index("fv")

_BRIEF: Final = [CLOSE, FV]
_LASTING: Final = [place for place in range(len(COEFFICIENTS)) if place not in _BRIEF]

_PARTING: Final = [JAW, COEFFICIENTS.index("upper"), COEFFICIENTS.index("lower")]
"""What takes the lips apart"""
_SHAPES: Final = [WIDE, ROUND]

# These five were fitted to five talkers of the GRID corpus and tried on each of them with a fit to the other four.
_BREATH_JAW = 0.28
_NARROWING = 0.5
"""Rounded lips leave so much less between them: a w or an oo all but shuts them"""
_SHAPE_DELAY = 2
"""Columns by which the rules let lips spread and round too early"""
_USUAL_REACH = 1.3
"""The targets that the net learned from are rules, which open a mouth less than people do"""
_REACH_OF_OPENING = 11.0, 1.2, 2.4
"""Reach for a mouth that is seen to open one eye distance, and the least and the most of it"""

_PIECE = 4096
"""Columns of one request: 51 s, 2.4 MB."""
_MARGIN = 40
"""The net sees 36 columns to either side; what a cut can reach is computed in both pieces and dropped in one."""
_CALM_COLUMNS = 4.0
"""Deviation of the smoothing that `smoothing` = 1 asks for, 50 ms: syllables stay, single sounds melt"""


@dataclass(frozen=True, slots=True)
class MouthTrack:
    """What the mouth does over the whole recording, at 80 columns a second."""

    coefficients: NDArray[np.float32]
    """(columns, 8) 0..1; ends at rest"""
    presence: NDArray[np.float32]
    """(columns,) how much of the mouth to show: 1, or towards 0 in pauses where the footage's own mouth is asked for"""


def mouth_coefficients(speech: Speech, options: RenderOptions, triton: TritonClient) -> MouthTrack:
    """The mouth for a recording, as the options ask for it."""
    spoken = speaking(np.pad(speech.voice, (0, TAIL)))
    raw = np.pad(_infer(speech, triton), ((0, TAIL), (0, 0)), mode="edge")
    raw[_SHAPE_DELAY:, _SHAPES] = raw[:-_SHAPE_DELAY, _SHAPES]
    moving = _smoothed(raw, options.smoothing) * movement(spoken)[:, None]
    shown = np.ones(len(moving), np.float32)
    if options.silence == "source":
        shown = presence(spoken)  # the footage draws its own breath
    else:
        moving[:, JAW] = np.maximum(moving[:, JAW], _BREATH_JAW * breath(spoken))
    return MouthTrack(_narrowed(_expand_closures(_expressed(moving, options.expression))), shown)


def reach_of(speaking_opening: float) -> float:
    """How far a person opens, times what the net says; from how far they do in the footage, 0: not known."""
    factor, least, most = _REACH_OF_OPENING
    return min(max(factor * speaking_opening, least), most) if speaking_opening else _USUAL_REACH


def opened(coefficients: NDArray[np.float32], reach: float) -> NDArray[np.float32]:
    """The same mouth opened further: small openings grow in full, none beyond the largest there is."""
    wider = coefficients.copy()
    wider[:, _PARTING] = 1 - (1 - coefficients[:, _PARTING]) ** reach
    return wider


def sample_coefficients(
    coefficients: NDArray[np.float32], frames: NDArray[np.int64], frame_rate: Fraction
) -> NDArray[np.float32]:
    """(m, 8): the coefficients in the middle of each of the m frames; after the last column they stay as it is."""
    frame_seconds = 1 / float(frame_rate)
    middles = (frames + 0.5) * frame_seconds
    sampled = columns_at(coefficients, middles)
    # A closure of 50 ms can fall between two middles at 25 frames/s: the frame shows the strongest moment it holds.
    near = [columns_at(coefficients, middles + part * frame_seconds) for part in (-0.3, -0.15, 0.15, 0.3)]
    sampled[:, _BRIEF] = np.max([sampled, *near], axis=0)[:, _BRIEF]
    return sampled


def _infer(speech: Speech, triton: TritonClient) -> NDArray[np.float32]:
    """Raw output of the net, (columns, 8); the same as in one go, in pieces that bound the requests."""
    columns = speech.mel.shape[1]
    pieces = []
    for start in range(0, columns, _PIECE):
        left = max(0, start - _MARGIN)
        stop = min(start + _PIECE, columns)
        heard = {
            "mel": np.ascontiguousarray(speech.mel[None, :, left : stop + _MARGIN]),
            "features": speech.features[None, :, left : stop + _MARGIN].astype(np.float32),
        }
        output = triton.infer("speech_to_mouth", heard, ["coefficients"])["coefficients"]
        pieces.append(output[0].T[start - left : stop - left])
    return np.concatenate(pieces).astype(np.float32)


def _smoothed(coefficients: NDArray[np.float32], smoothing: float) -> NDArray[np.float32]:
    """Calmer lips by `smoothing` 0..1; what shuts them is too short to be smoothed and stays."""
    if smoothing <= 0:
        return coefficients
    blurred = cv2.GaussianBlur(
        coefficients, (1, 0), sigmaX=1, sigmaY=_CALM_COLUMNS * smoothing, borderType=cv2.BORDER_REPLICATE
    )
    calm: NDArray[np.float32] = blurred.astype(np.float32, copy=False)
    calm[:, _BRIEF] = coefficients[:, _BRIEF]
    return calm


def _expressed(coefficients: NDArray[np.float32], expression: float) -> NDArray[np.float32]:
    """Smaller or larger movements round rest; small ones grow in full, none beyond the largest there is."""
    lasting = coefficients[:, _LASTING]
    expressed = coefficients.copy()
    expressed[:, _LASTING] = lasting * expression if expression <= 1 else 1 - (1 - lasting) ** expression
    return expressed


def _expand_closures(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """The net hedges on brief events: what it is fairly sure of becomes a full closure, what it doubts becomes none."""
    expanded = coefficients.copy()
    expanded[:, CLOSE] = np.clip((coefficients[:, CLOSE] - 0.25) / 0.27, 0, 1)
    expanded[:, FV] = np.clip((coefficients[:, FV] - 0.20) / 0.45, 0, 1)
    return expanded


def _narrowed(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    narrowed = coefficients.copy()
    narrowed[:, _PARTING] *= 1 - _NARROWING * coefficients[:, [ROUND]]
    return narrowed
