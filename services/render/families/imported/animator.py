"""Lays the mouths that an imported net paints into the footage."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import CropBox, FaceBatch, FaceIntroduction
from services.render.edits.compositing import Patch
from services.render.families.imported.mask import Masks, masks_of
from services.render.families.imported.matching import ColourField, fitted
from services.render.families.imported.painting import Painter
from services.render.families.imported.sound import Pauses


class ImportedAnimator:
    """One job's mouths."""

    def __init__(self, painter: Painter, pauses: Pauses, frame_rate: Fraction) -> None:
        self._painter = painter
        self._pauses = pauses
        self._frame_rate = frame_rate
        self._track = -1
        self._colours = ColourField()

    def introduce(self, introduction: FaceIntroduction) -> None:
        """See Animator.introduce; of another person nothing is kept."""
        self._painter.introduce(introduction)
        if introduction.track != self._track:
            self._colours.forget()
            self._track = introduction.track

    def synthesise(self, batch: FaceBatch) -> list[Patch]:
        """See Animator.synthesise."""
        if len(batch.weight) == 0:
            return []
        frames = batch.first_frame + np.flatnonzero(batch.present)
        weights = batch.weight * self._pauses.shown(frames, self._frame_rate)
        made = self._painter.paint(batch, frames)
        half = _lower_half(made.box)
        rows = zip(
            half.of(batch.crops),
            made.seen,
            made.painted,
            batch.landmarks,
            batch.rest,
            batch.to_crop,
            weights.tolist(),
            strict=True,
        )
        corner = np.array([[0, 0, half.left], [0, 0, half.top]], np.float32)
        return [
            Patch(self._laid(part, seen, paint, masks_of(marks, rest, batch.side, half)), to_crop - corner, weight)
            for part, seen, paint, marks, rest, to_crop, weight in rows
        ]

    def _laid(
        self, part: NDArray[np.uint8], seen: NDArray[np.uint8], painted: NDArray[np.uint8], masks: Masks
    ) -> NDArray[np.uint8]:
        """(h, w, 4) RGB and alpha of the lower half of the box, which is all that the net paints."""
        seen, painted = seen[len(seen) // 2 :], painted[len(painted) // 2 :]
        return fitted(part, seen, painted, self._colours.follow(seen, painted, masks.face), masks)


def _lower_half(box: CropBox) -> CropBox:
    return box._replace(top=(box.top + box.bottom) // 2)
