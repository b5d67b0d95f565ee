"""Paints the mouths of one job with an imported net and lays them into the footage."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.jobs.imported import ImportedFamily
from services.jobs.options import RenderOptions
from services.preprocess.faces import CropSpec, FaceBatch, FaceIntroduction, MelSpec, Speech
from services.render.edits.compositing import Patch
from services.render.families.family import Animator, ModelFamily
from services.render.families.imported.mask import Masks, masks_of
from services.render.families.imported.matching import ColourField, fitted
from services.render.families.imported.sound import Sound
from services.triton import TritonClient

CROP: Final = CropSpec(left=-1.0, top=-1.38, extent=2.0, sizes=(160, 320, 640))
"""From the forehead to under the chin, upright"""
_MARGIN: Final = 0.1
"""Of the side, left and right, that a detector's box round a face leaves out: the nets were trained on such boxes"""


class ImportedAnimator:
    """One job's mouths."""

    def __init__(self, family: ImportedFamily, sound: Sound, frame_rate: Fraction, triton: TritonClient) -> None:
        self._family = family
        self._sound = sound
        self._frame_rate = frame_rate
        self._triton = triton
        self._track = -1
        self._colours = ColourField()

    def introduce(self, introduction: FaceIntroduction) -> None:
        """See Animator.introduce; of another person nothing is kept."""
        if introduction.track != self._track:
            self._colours.forget()
            self._track = introduction.track

    def synthesise(self, batch: FaceBatch) -> list[Patch]:
        """See Animator.synthesise."""
        if len(batch.weight) == 0:
            return []
        frames = batch.first_frame + np.flatnonzero(batch.present)
        weights = batch.weight * self._sound.shown(frames, self._frame_rate)
        boxes = batch.crops[:, :, _columns(batch.side)]
        seen = seen_by_net(batch, self._family.side)
        painted = self._paint(seen, self._sound.windows(frames, self._frame_rate))
        rows = zip(boxes, seen, painted, batch.landmarks, batch.rest, batch.to_crop, weights.tolist(), strict=True)
        corner = np.array([[0, 0, _columns(batch.side).start], [0, 0, batch.side // 2]], np.float32)
        return [
            Patch(self._laid(box, face, paint, masks_of(marks, rest, batch.side)), to_crop - corner, weight)
            for box, face, paint, marks, rest, to_crop, weight in rows
        ]

    def _paint(self, faces: NDArray[np.uint8], mels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(m, s, s, 3) RGB of the net for as many faces and mel windows."""
        most = self._family.most_rows
        parts = [slice(start, start + most) for start in range(0, len(faces), most)]

        def answers() -> Iterator[NDArray[np.generic]]:
            for part in parts:
                asked: dict[str, NDArray[np.generic]] = {"crop": faces[part], "mel": mels[part]}
                yield self._triton.infer(self._family.name, asked, ["mouth"])["mouth"]

        return np.concatenate(list(answers())).astype(np.uint8, copy=False)

    def _laid(
        self, box: NDArray[np.uint8], seen: NDArray[np.uint8], painted: NDArray[np.uint8], masks: Masks
    ) -> NDArray[np.uint8]:
        """(side / 2, 0.8 side, 4) RGB and alpha of the lower half of the box, which is all that the net paints."""
        grid = len(masks.face)
        inside = Masks(masks.face[grid // 2 :, _columns(grid)], masks.lips[grid // 2 :, _columns(grid)])
        box, seen, painted = box[len(box) // 2 :], seen[len(seen) // 2 :], painted[len(painted) // 2 :]
        return fitted(box, seen, painted, self._colours.follow(seen, painted, inside.face), inside)


def seen_by_net(batch: FaceBatch, side: int) -> NDArray[np.uint8]:
    """(m, side, side, 3) RGB of the batch's faces, as a net with so many pixels takes them."""
    boxes = batch.crops[:, :, _columns(batch.side)]
    return np.stack([_resized(box, (side, side)) for box in boxes])


def imported_family(family: ImportedFamily) -> ModelFamily:
    """How an import animates a job."""

    def animate(speech: Speech, frame_rate: Fraction, options: RenderOptions, triton: TritonClient) -> Animator:
        return ImportedAnimator(family, Sound(speech, options), frame_rate, triton)

    return ModelFamily(
        name=family.name,
        licence=family.licence,
        crop=CROP,
        mel=MelSpec(window=0),
        models=(family.name,),
        animate=animate,
    )


def _columns(side: int) -> slice:
    """Those of a square crop that the net sees."""
    margin = round(_MARGIN * side)
    return slice(margin, side - margin)


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    shrinks = picture.shape[0] >= size[1] and picture.shape[1] >= size[0]
    sampling = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=sampling), np.uint8)
