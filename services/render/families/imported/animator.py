"""Lays the mouths that an imported net paints into the footage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import CropBox, FaceBatch, FaceIntroduction
from services.render.edits.compositing import Patch
from services.render.families.imported.mask import Masks, masks_of
from services.render.families.imported.matching import ColourField, fitted, original
from services.render.families.imported.painting import Painter
from services.render.families.imported.sound import Pauses

_NOTHING: Final = np.zeros((1, 1, 4), np.uint8)


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
        shown = np.flatnonzero(weights)
        edits = [Patch(_NOTHING, to_crop, 0.0) for to_crop in batch.to_crop]
        if len(shown):
            for row, patch in zip(shown.tolist(), self._painted(rows_of(batch, shown), frames[shown]), strict=True):
                edits[row] = replace(patch, weight=float(weights[row]))
        return edits

    def _painted(self, batch: FaceBatch, frames: NDArray[np.int64]) -> Iterator[Patch]:
        """The patches of faces that show, which are those of these output frames."""
        made = self._painter.paint(batch, frames)
        half = _lower_half(made.box)
        corner = np.array([[0, 0, half.left], [0, 0, half.top]], np.float32)
        faces = zip(half.of(batch.crops), made.seen, made.painted, batch.landmarks, batch.rest, strict=True)
        for (part, seen, paint, marks, rest), to_crop in zip(faces, batch.to_crop, strict=True):
            masks = masks_of(marks, rest, batch.side, half)
            yield Patch(self._laid(part, seen, paint, masks), to_crop - corner, 1.0, original(part, masks))

    def _laid(
        self, part: NDArray[np.uint8], seen: NDArray[np.uint8], painted: NDArray[np.uint8], masks: Masks
    ) -> NDArray[np.uint8]:
        """(h, w, 4) RGB and alpha of the lower half of the box, which is all that the net paints."""
        seen, painted = seen[len(seen) // 2 :], painted[len(painted) // 2 :]
        return fitted(part, seen, painted, self._colours.follow(seen, painted, masks.face), masks)


def rows_of(batch: FaceBatch, rows: NDArray[np.int64]) -> FaceBatch:
    """Some of a batch's faces; `present` stays that of the whole batch."""
    if len(rows) == len(batch.weight):
        return batch
    arrays = ("crops", "landmarks", "rest", "to_crop", "weight", "mels", "sound", "silence", "latents")
    kept: dict[str, Any] = {name: array[rows] for name in arrays if (array := getattr(batch, name)) is not None}
    return replace(batch, **kept)


def _lower_half(box: CropBox) -> CropBox:
    return box._replace(top=(box.top + box.bottom) // 2)
