"""Nets as MuseTalk 1.5: they paint the lower half of a face from what was seen in it and heard in the recording.

Preprocess has both from nets of the family's, and keeps them: nothing is seen or heard twice.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.jobs.imported import LATENTS, SOUND, ImportedFamily
from services.preprocess.faces import (
    STATE_RATE,
    CropBox,
    CropSpec,
    FaceBatch,
    FaceIntroduction,
    SoundNet,
    SourceNet,
    shown_to_net,
)
from services.render.families.columns import columns_at
from services.render.families.imported.painting import Paintings, asked
from services.render.families.imported.sound import Pauses
from services.triton import TritonClient

CROP: Final = CropSpec(left=-1.25, top=-1.8, extent=2.5, sizes=(160, 320, 640, 800))
"""From the hair to under the chin, upright: a box begins 1.3 to 1.75 above the mouth, by how long the face is"""
_CHEEKS_AND_CHIN: Final = (234, 454, 152)
_NOSE: Final = (195, 5)
"""Its bridge, above and below the place that the original takes for the middle"""
_BELOW: Final = 0.04
"""Of the box's height: the 10 pixels under the chin of version 1.5, at its 256"""
_ROWS, _LEAD = 10, 4
"""States a frame: four before the one that it begins in, five behind it"""
_STATE_WIDTH: Final = 384


def sound_net(family: ImportedFamily) -> SoundNet:
    """Who hears the recording."""
    return SoundNet(f"{family.name}{SOUND}", _identity(family), _ROWS, _LEAD)


def source_net(family: ImportedFamily) -> SourceNet:
    """Who looks at the faces."""
    return SourceNet(
        model=f"{family.name}{LATENTS}",
        identity=_identity(family),
        side=family.side,
        most_rows=family.most_rows,
        outline=_CHEEKS_AND_CHIN,
        middle=_NOSE,
        below=_BELOW,
    )


class LatentPainter:
    """See Painter; each track has its box from preprocess."""

    def __init__(self, family: ImportedFamily, pauses: Pauses, frame_rate: Fraction, triton: TritonClient) -> None:
        self._family = family
        self._net = sound_net(family)
        self._pauses = pauses
        self._frame_rate = frame_rate
        self._triton = triton
        self._box: CropBox | None = None

    def introduce(self, introduction: FaceIntroduction) -> None:
        """See Painter."""
        self._box = introduction.box

    def paint(self, batch: FaceBatch, frames: NDArray[np.int64]) -> Paintings:
        """See Painter; UNAVAILABLE when preprocess knows no nets of families: in an upgrade its turn comes, too."""
        if self._box is None or batch.latents is None or batch.sound is None or batch.silence is None:
            raise ChorusError(ErrorKind.UNAVAILABLE, "preprocess-older")
        seen = np.stack([shown_to_net(crop, self._box, self._family.side) for crop in batch.crops])
        inputs = {
            "latents": batch.latents.astype(np.float32),
            "sound": self._heard(batch.sound, batch.silence, frames),
        }
        return Paintings(self._box, seen, asked(self._triton, self._family, inputs))

    def _heard(
        self, sound: NDArray[np.float16], silence: NDArray[np.float16], frames: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """(m, 50, 384): what the net heard, and digital silence where nobody speaks, as a net of mel windows hears it.

        A state is five vectors, one for each of the encoder's layers.
        """
        first = np.array([self._net.first_row(frame, self._frame_rate) for frame in frames.tolist()])
        rows = first[:, None] + np.arange(_ROWS)
        seconds = np.maximum((rows.ravel() + 0.5) / STATE_RATE, 0)
        moves = columns_at(self._pauses.moves[:, None], seconds).reshape(len(frames), _ROWS, 1)
        rested = silence.astype(np.float32)
        heard = rested + (sound.astype(np.float32) - rested) * moves
        return heard.reshape(len(frames), -1, _STATE_WIDTH)


def _identity(family: ImportedFamily) -> str:
    """What tells the nets of this import from all others."""
    return f"{family.source_sha256} {family.precision} {family.library}"
