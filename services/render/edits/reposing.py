"""Re-posing a mouth in a frame's own planes: they are sampled once, along displacements that a model gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame, rgb_to_yuv
from services.media.colour import Samples
from services.render.edits.folds import SoftFolds
from services.render.edits.grain import Grain
from services.render.edits.grid import Grid
from services.render.edits.resting import RestingMouth
from services.render.edits.sampling import (
    REACH,
    Displacement,
    Floats,
    Rectangle,
    Sampler,
    at_step,
    channels,
    frame_steps,
    widened,
)

_STILL: Final = 3e-5
"""Face units; all around what moves farther is left alone"""
_NO_SHARE: Final = 1e-3
"""Of a lip's layer: a quarter of a grey level at the most"""


@dataclass(frozen=True, slots=True, eq=False)
class Repose:
    """How one face's mouth changes; displacements point from the new picture to the frame's, in face units."""

    area: Grid
    window: Grid
    """The mouth inside the area, where the two lips move apart"""
    around: Floats = field(repr=False)
    """(rows, columns, 2) of the area: displacement across and down; 0 at its edges"""
    lips: Floats = field(repr=False)
    """(rows, columns, 4) of the window: displacement down of the upper lip and of the lower one, share of the upper,
    and how much all this counts; that is 0 at its edges"""
    inside: NDArray[np.uint8] = field(repr=False)
    """(rows, columns, 4) of the window: RGB and alpha of what lies over the lips"""
    to_face: NDArray[np.float64]
    """(2, 3) affine frame -> face units"""
    grain: Grain | None = None
    """Where to borrow the grain of what lies over the lips; None: it stays as clean as it is painted"""
    resting: RestingMouth | None = None
    """Laid over all this; None where the mouth does something, or rests in the footage as well"""
    folds: SoftFolds | None = None
    """What a smile leaves in the cheeks; None: nothing"""
    _from_face: NDArray[np.float64] = field(init=False, repr=False)
    """(2, 2) face units -> pixels"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_from_face", np.linalg.inv(self.to_face[:, :2]))

    def apply(self, frame: Frame) -> None:
        """See MouthEdit.apply."""
        area = self._touched(frame)
        if area.empty:
            return
        sampler = Sampler(frame)
        around = self._displacement(area)
        window = self.window.rectangle(frame, self.to_face)
        needed = around.moving()
        if not window.empty:
            # What the mouth lies over is looked at by the sharpness of its surroundings alone.
            window.part_of(needed, area)[REACH:-REACH, REACH:-REACH] = 0
        moved = sampler.sampled(area, around, needed)
        if not window.empty:
            mouth = self._mouth(frame, sampler, window, around.part(window, area))
            for whole, part, step in zip(moved, mouth, frame_steps(frame), strict=True):
                window.part_of(whole, area, step)[...] = part
        for plane, part, step in zip(frame.planes, moved, frame_steps(frame), strict=True):
            area.of_plane(plane, step)[...] = part
        if self.folds is not None:
            self.folds.soften(frame, self.to_face)
        if self.resting is not None:
            self.resting.lay_over(frame, self.to_face)

    def _touched(self, frame: Frame) -> Rectangle:
        """The part of the frame that changes: round all that moves, with the window unless nothing happens at all."""
        moving = np.maximum(*channels(np.abs(self.around))) > _STILL
        column, row, columns, rows = cv2.boundingRect(moving.astype(np.uint8))
        if columns == 0 and np.abs(self.lips[..., :2]).max() <= _STILL and not self.inside[..., 3].any():
            return Rectangle(0, 0, 0, 0)
        window = self.window.rectangle(frame, self.to_face)
        around = self.area.round(column, row, columns, rows).rectangle(frame, self.to_face)
        return window.joined(around) if columns else window

    def _displacement(self, area: Rectangle) -> Displacement:
        """What moves around the mouth, and under it."""
        seen = self.area.seen(self.around, area, self.to_face)
        return Displacement(*channels(np.asarray(cv2.transform(seen, self._from_face), np.float32)))

    def _mouth(self, frame: Frame, sampler: Sampler, window: Rectangle, around: Displacement) -> list[Samples]:
        """The window's planes: both lips' layers joined, what is seen between them on top."""
        upper_down, lower_down, share, counts = channels(self.window.seen(self.lips, window, self.to_face))
        share = np.clip(share * (1 + 2 * _NO_SHARE) - _NO_SHARE, 0, 1)
        mouth = [np.zeros(plane.shape, np.float32) for plane in window.of_planes(frame)]
        for down, shares in ((upper_down, share), (lower_down, 1 - share)):
            needed = widened((shares > 0).astype(np.uint8))
            part = window.around(needed, frame.chroma_step)
            if part.empty:
                continue
            lip = self._lip(around.part(part, window), part.part_of(down, window), part.part_of(counts, window))
            layer = sampler.sampled(part, lip, part.part_of(needed, window))
            for whole, plane, step in zip(mouth, layer, frame_steps(frame), strict=True):
                under = part.part_of(whole, window, step)
                under += plane * at_step(part.part_of(shares, window), step)
        self._lay_over(mouth, frame, window)
        highest = (1 << frame.bit_depth) - 1
        return [np.clip(np.rint(plane), 0, highest).astype(frame.y.dtype) for plane in mouth]

    def _lip(self, around: Displacement, down: Floats, counts: Floats) -> Displacement:
        """The displacement `around`, but `down` (face units) where that counts."""
        (_, from_across), (_, from_down) = self._from_face.astype(np.float32)
        across_to, down_to = self.to_face[1, :2].astype(np.float32)
        other = (down - around.across * across_to - around.down * down_to) * counts
        return Displacement(around.across + other * from_across, around.down + other * from_down)

    def _lay_over(self, mouth: Sequence[Floats], frame: Frame, window: Rectangle) -> None:
        """Lay what is seen between the lips over the window's planes."""
        column, row, columns, rows = cv2.boundingRect(self.inside[..., 3])
        if columns == 0:
            return
        # One more on each side: colours fade into those of their neighbours without alpha.
        left, top = max(column - 1, 0), max(row - 1, 0)
        shown = self.inside[top : row + rows + 1, left : column + columns + 1]
        grid = self.window.part(left, top, shown.shape[1], shown.shape[0])
        part = grid.round(0, 0, grid.columns, grid.rows).rectangle(frame, self.to_face).within(window)
        if part.empty:
            return
        yuv = rgb_to_yuv(np.ascontiguousarray(shown[..., :3]), frame.matrix, frame.range, frame.bit_depth)
        painted = cv2.merge([yuv, shown[..., 3].astype(yuv.dtype)]).astype(np.float32)
        # Seen from the whole window, though a part would do: another origin rounds otherwise, by levels at steep edges.
        *colours, alpha = channels(part.part_of(grid.seen(painted, window, self.to_face), window))
        if self.grain is not None:
            paint = np.zeros(mouth[0].shape, np.float32)
            under = part.part_of(paint, window)
            under[...] = colours[0]
            colours[0] = colours[0] + part.part_of(self.grain.for_paint(frame.y, self.to_face, paint), window)
        alpha /= 255
        for plane, colour, step in zip(mouth, colours, frame_steps(frame), strict=True):
            below = part.part_of(plane, window, step)
            below += (at_step(colour, step) - below) * at_step(alpha, step)


UNCHANGED: Final = Repose(
    Grid(0, 0, 1, 1, 1),
    Grid(0, 0, 1, 1, 1),
    np.zeros((1, 1, 2), np.float32),
    np.zeros((1, 1, 4), np.float32),
    np.zeros((1, 1, 4), np.uint8),
    np.eye(2, 3),
)
"""Leaves a frame as it is"""
