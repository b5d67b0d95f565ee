"""A photo comes to life: slight head motion and blinks, added to what happens to its mouth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.preprocess.faces import FaceBatch, Speech
from services.render.families.family import MouthEdit
from services.render.stills.curves import LARGEST_SWAY, motion_curves
from services.render.stills.eyelids import Eyelids
from services.render.stills.head_warp import HeadWarp

Mouths = tuple[FaceBatch, Sequence[MouthEdit]]


class StillMotion:
    """The motion of the one head that speaks in one photo; the same for the same seed."""

    def __init__(self, speech: Speech, frame_rate: Fraction, frames: int, *, poster: int, seed: str) -> None:
        """For an output of `frames` pictures of which number `poster` stands for it, so the eyes are open there."""
        self._curves = motion_curves(speech, frame_rate, frames, seed, poster)
        self._photo: tuple[Eyelids, HeadWarp] | None = None

    def added_to(self, mouths: Iterable[Mouths]) -> Iterator[Mouths]:
        """The same batches; each edit also moves the head and the lids after it changed the mouth."""
        for batch, edits in mouths:
            rows = enumerate(zip(np.flatnonzero(batch.present), edits, strict=True))
            yield batch, [_MovedMouth(edit, self, batch, row, batch.first_frame + int(at)) for row, (at, edit) in rows]

    def move(self, frame: Frame, position: int, batch: FaceBatch, row: int) -> None:
        """Move head and lids in `frame`, number `position` of the output, in place; its face is the batch's `row`."""
        if self._photo is None:
            points = _in_frame(batch.landmarks[row], batch.to_crop[row])
            self._photo = Eyelids(frame, points[:, :2]), HeadWarp(frame, points, LARGEST_SWAY)
        lids, head = self._photo
        lids.close(frame, float(self._curves.closed[position]))
        head.move(frame, self._curves.sway[position] * float(batch.weight[row]))


@dataclass(frozen=True, slots=True)
class _MovedMouth:
    """A mouth's edit and the motion of its head."""

    edit: MouthEdit
    motion: StillMotion
    batch: FaceBatch
    row: int
    position: int

    def apply(self, frame: Frame) -> None:
        """See MouthEdit.apply."""
        self.edit.apply(frame)
        self.motion.move(frame, self.position, self.batch, self.row)


def _in_frame(landmarks: NDArray[np.float32], to_crop: NDArray[np.float32]) -> NDArray[np.float64]:
    """(478, 3) crop pixels -> frame pixels."""
    inverse = np.linalg.inv(to_crop[:, :2].astype(np.float64))
    flat = (landmarks[:, :2] - to_crop[:, 2]) @ inverse.T
    return np.column_stack([flat, landmarks[:, 2] * np.sqrt(abs(np.linalg.det(inverse)))])
