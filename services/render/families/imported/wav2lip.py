"""Nets as Wav2Lip: they paint the lower half of a face from its picture and a mel window."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.jobs.imported import ImportedFamily
from services.preprocess.faces import CropBox, CropSpec, FaceBatch, FaceIntroduction, shown_to_net
from services.render.families.imported.painting import Paintings, asked
from services.render.families.imported.sound import Sound
from services.triton import TritonClient

CROP: Final = CropSpec(left=-1.0, top=-1.38, extent=2.0, sizes=(160, 320, 640))
"""From the forehead to under the chin, upright"""
_MARGIN: Final = 0.1
"""Of the side, left and right, that a detector's box round a face leaves out: the nets were trained on such boxes"""


class MelPainter:
    """See Painter; all tracks have the same box."""

    def __init__(self, family: ImportedFamily, sound: Sound, frame_rate: Fraction, triton: TritonClient) -> None:
        self._family = family
        self._sound = sound
        self._frame_rate = frame_rate
        self._triton = triton

    def introduce(self, introduction: FaceIntroduction) -> None:
        """See Painter."""

    def paint(self, batch: FaceBatch, frames: NDArray[np.int64]) -> Paintings:
        """See Painter."""
        seen = seen_by_net(batch, self._family.side)
        inputs: dict[str, NDArray[np.generic]] = {"crop": seen, "mel": self._sound.windows(frames, self._frame_rate)}
        return Paintings(_box(batch.side), seen, asked(self._triton, self._family, inputs))


def seen_by_net(batch: FaceBatch, side: int) -> NDArray[np.uint8]:
    """(m, side, side, 3) RGB of the batch's faces, as a net with so many pixels takes them."""
    return np.stack([shown_to_net(crop, _box(batch.side), side) for crop in batch.crops])


def _box(side: int) -> CropBox:
    margin = round(_MARGIN * side)
    return CropBox(margin, 0, side - margin, side)
