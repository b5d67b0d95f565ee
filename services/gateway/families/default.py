"""The default family: an analytic renderer re-poses the person's own mouth by eight coefficients of the speech."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.gateway.families.catalogue import FAMILY_CARDS
from services.gateway.families.family import Animator, ModelFamily
from services.gateway.families.interior import Interior, mouth_interior
from services.gateway.families.speech import mouth_coefficients, sample_coefficients
from services.gateway.jobs import RenderOptions
from services.preprocess.faces import CropSpec, FaceBatch, FaceIntroduction, MelSpec, Speech
from services.triton import TritonClient

CROP: Final = CropSpec(left=-0.75, top=-0.55, extent=1.5, sizes=(256, 384, 512))
_ROWS = 8
"""Faces of one request"""


class DefaultAnimator:
    """One job's mouth: its coefficients over time, and the interior of the person on screen."""

    def __init__(self, coefficients: NDArray[np.float32], frame_rate: Fraction, triton: TritonClient) -> None:
        """`coefficients` are (columns, 8) at 80 a second."""
        self._coefficients = coefficients
        self._frame_rate = frame_rate
        self._triton = triton
        self._track = -1
        self._interior: Interior | None = None

    def introduce(self, introduction: FaceIntroduction) -> None:
        """Find the interior of the person's mouth; only that of the track on screen is kept."""
        if introduction.track != self._track:
            self._interior = mouth_interior(introduction, CROP)
            self._track = introduction.track

    def synthesise(self, batch: FaceBatch) -> NDArray[np.uint8]:
        """See Animator.synthesise."""
        faces = len(batch.crops)
        if faces == 0:
            return np.empty((*batch.crops.shape[:3], 4), np.uint8)
        if self._interior is None or batch.track != self._track:
            raise ChorusError(ErrorKind.INTERNAL, f"Faces of track {batch.track} came without an introduction")
        frames = batch.first_frame + np.flatnonzero(batch.present)
        inputs: dict[str, NDArray[np.generic]] = {
            "crop": batch.crops,
            "landmarks": batch.landmarks,
            "rest": batch.rest,
            "coefficients": sample_coefficients(self._coefficients, frames, self._frame_rate),
            "upper_teeth": np.repeat(self._interior.upper_teeth[None], faces, axis=0),
            "lower_teeth": np.repeat(self._interior.lower_teeth[None], faces, axis=0),
            "tones": np.repeat(self._interior.tones[None], faces, axis=0),
        }
        patches = [
            self._triton.infer(
                "mouth_renderer", {name: rows[start : start + _ROWS] for name, rows in inputs.items()}, ["patch"]
            )["patch"]
            for start in range(0, faces, _ROWS)
        ]
        return np.concatenate(patches).astype(np.uint8, copy=False)


def _animate(speech: Speech, frame_rate: Fraction, _options: RenderOptions, triton: TritonClient) -> Animator:
    return DefaultAnimator(mouth_coefficients(speech, triton), frame_rate, triton)


_CARD: Final = FAMILY_CARDS["default"]
DEFAULT: Final = ModelFamily(
    name=_CARD.name,
    licence=_CARD.licence,
    crop=CROP,
    mel=MelSpec(window=0),
    models=("speech_to_mouth", "mouth_renderer"),
    animate=_animate,
)
