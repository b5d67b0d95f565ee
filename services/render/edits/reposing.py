"""Re-posing a mouth in a frame's own planes: they are sampled once, along displacements that a model gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame, rgb_to_yuv
from services.media.colour import Samples
from services.render.edits.grain import Grain

Floats = NDArray[np.float32]

_LUMA_SAMPLING: Final = cv2.INTER_LANCZOS4
_CHROMA_SAMPLING: Final = cv2.INTER_CUBIC
"""Luma holds the sharpness: with a cubic kernel a grainy chin keeps .75 of its Laplacian variance, with Lanczos' .85"""
_DETAIL: Final = 0.8
"""Pixels; what is coarser than this blur leaves of it is no matter of sharpness"""
_GAIN: Final = (0.75, 1.33)
"""At the most; between lips that part lies a stretch without end"""
_STILL: Final = 3e-5
"""Face units; all around what moves farther is left alone"""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the samples of a field lie on a face: `step` face units apart, the first at (left, top)."""

    left: float
    top: float
    step: float
    columns: int
    rows: int

    @property
    def x(self) -> Floats:
        """(columns,) face units."""
        return (self.left + self.step * np.arange(self.columns)).astype(np.float32)

    @property
    def y(self) -> Floats:
        """(rows,) face units."""
        return (self.top + self.step * np.arange(self.rows)).astype(np.float32)

    @property
    def corners(self) -> NDArray[np.float64]:
        """(4, 2) face units."""
        right, bottom = self.left + self.step * (self.columns - 1), self.top + self.step * (self.rows - 1)
        return np.array([[self.left, self.top], [right, self.top], [self.left, bottom], [right, bottom]])

    def round(self, column: int, row: int, columns: int, rows: int) -> Grid:
        """The grid of these samples, and one more on each side."""
        corner = self.left + self.step * (column - 1), self.top + self.step * (row - 1)
        return Grid(*corner, self.step, columns + 2, rows + 2)


def grid_over(left: float, top: float, right: float, bottom: float, step: float) -> Grid:
    """The grid of that step that covers a rectangle of the face."""
    columns, rows = (int(np.ceil(size / step)) + 1 for size in (right - left, bottom - top))
    return Grid(left, top, step, columns, rows)


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

    def apply(self, frame: Frame) -> None:
        """See MouthEdit.apply."""
        area = self._touched(frame)
        if area.empty:
            return
        around = area.seen(self.around, self.area, self.to_face)
        moved = _sampled(frame, area, self._in_pixels(around))
        window = _rectangle(frame, self.window, self.to_face)
        if not window.empty:
            mouth = self._mouth(frame, window, window.part_of(around, area))
            for whole, part, step in zip(moved, mouth, frame_steps(frame), strict=True):
                window.part_of(whole, area, step)[...] = part
        for plane, part, step in zip(frame.planes, moved, frame_steps(frame), strict=True):
            area.of_plane(plane, step)[...] = part

    def _touched(self, frame: Frame) -> _Rectangle:
        """The part of the frame that changes: round all that moves, with the window unless nothing happens at all."""
        moving = np.abs(self.around).max(axis=2) > _STILL
        column, row, columns, rows = cv2.boundingRect(moving.astype(np.uint8))
        if columns == 0 and np.abs(self.lips[..., :2]).max() <= _STILL and not self.inside[..., 3].any():
            return _Rectangle(0, 0, 0, 0)
        window = _rectangle(frame, self.window, self.to_face)
        around = _rectangle(frame, self.area.round(column, row, columns, rows), self.to_face)
        return window.joined(around) if columns else window

    def _mouth(self, frame: Frame, window: _Rectangle, around: Floats) -> list[Samples]:
        """The window's planes: both lips' layers joined, what is seen between them on top."""
        lips = window.seen(self.lips, self.window, self.to_face)
        yuv = rgb_to_yuv(np.ascontiguousarray(self.inside[..., :3]), frame.matrix, frame.range, frame.bit_depth)
        inside = window.seen(np.dstack([yuv, self.inside[..., 3]]).astype(np.float32), self.window, self.to_face)
        if self.grain is not None:
            inside[..., 0] += self.grain.for_paint(frame.y, self.to_face, inside[..., 0])
        upper, lower = (
            _sampled(frame, window, self._in_pixels(_with_down(around, lips[..., layer], lips[..., 3])))
            for layer in (0, 1)
        )
        highest = (1 << frame.bit_depth) - 1
        mouth = []
        for channel, step in enumerate(frame_steps(frame)):
            share, colour, alpha = (_at(part, step) for part in (lips[..., 2], inside[..., channel], inside[..., 3]))
            joined = lower[channel] + (upper[channel].astype(np.float32) - lower[channel]) * share
            joined += (colour - joined) * (alpha / 255)
            mouth.append(np.clip(np.rint(joined), 0, highest).astype(frame.y.dtype))
        return mouth

    def _in_pixels(self, displacement: Floats) -> Floats:
        """Displacements (rows, columns, 2) in face units -> frame pixels."""
        return cv2.transform(displacement, np.linalg.inv(self.to_face[:, :2]))  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class _Rectangle:
    """Luma pixels of a frame, whole chroma samples; right and bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def empty(self) -> bool:
        return self.right <= self.left or self.bottom <= self.top

    def joined(self, other: _Rectangle) -> _Rectangle:
        """The smallest rectangle round both."""
        return _Rectangle(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def of_plane(self, plane: NDArray[Any], step: tuple[int, int]) -> NDArray[Any]:
        across, down = step
        return plane[self.top // down : self.bottom // down, self.left // across : self.right // across]

    def part_of(self, array: NDArray[Any], whole: _Rectangle, step: tuple[int, int] = (1, 1)) -> NDArray[Any]:
        """The part of `array`, which covers the rectangle `whole`."""
        moved = _Rectangle(
            self.left - whole.left, self.top - whole.top, self.right - whole.left, self.bottom - whole.top
        )
        return moved.of_plane(array, step)

    def seen(self, samples: Floats, grid: Grid, to_face: NDArray[np.float64]) -> Floats:
        """Samples on a grid, at the rectangle's pixels; 0 outside the grid."""
        linear = to_face[:, :2] / grid.step
        first_pixel = to_face[:, :2] @ (self.left + 0.5, self.top + 0.5) + to_face[:, 2]
        affine = np.column_stack([linear, (first_pixel - (grid.left, grid.top)) / grid.step])
        size = self.right - self.left, self.bottom - self.top
        return cv2.warpAffine(samples, affine, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)  # type: ignore[return-value]


def frame_steps(frame: Frame) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Luma pixels (across, down) of a sample of Y, U and V."""
    return (1, 1), frame.chroma_step, frame.chroma_step


def _rectangle(frame: Frame, grid: Grid, to_face: NDArray[np.float64]) -> _Rectangle:
    """The part of the frame that the grid can touch."""
    in_frame = (grid.corners - to_face[:, 2]) @ np.linalg.inv(to_face[:, :2]).T
    steps, limits = np.array(frame.chroma_step), np.array([frame.width, frame.height])
    first = np.clip(np.floor(in_frame.min(axis=0) / steps) * steps, 0, limits).astype(int)
    last = np.clip(np.ceil(in_frame.max(axis=0) / steps) * steps, 0, limits).astype(int)
    return _Rectangle(int(first[0]), int(first[1]), int(last[0]), int(last[1]))


def _with_down(around: Floats, down: Floats, counts: Floats) -> Floats:
    """The displacement `around`, but `down` where that counts."""
    layer = around.copy()
    layer[..., 1] += (down - layer[..., 1]) * counts
    return layer


def _sampled(frame: Frame, rectangle: _Rectangle, displacement: Floats) -> list[Samples]:
    """The rectangle's planes, each sample taken from where its displacement in pixels points to."""
    highest = (1 << frame.bit_depth) - 1
    planes = []
    for channel, (plane, (across, down)) in enumerate(zip(frame.planes, frame_steps(frame), strict=True)):
        steps = np.array([across, down], np.float32)
        columns = np.arange(rectangle.left // across, rectangle.right // across, dtype=np.float32)
        rows = np.arange(rectangle.top // down, rectangle.bottom // down, dtype=np.float32)
        places = _at(displacement, (across, down)) / steps
        places[..., 0] += columns
        places[..., 1] += rows[:, None]
        sampling = _CHROMA_SAMPLING if channel else _LUMA_SAMPLING
        seen = cv2.remap(plane, places, None, sampling, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        sharp = seen if channel else _as_sharp(seen, displacement)
        planes.append(np.minimum(sharp, highest) if highest > 255 else sharp)
    return planes


def _as_sharp(luma: Samples, displacement: Floats) -> Samples:
    """Luma as sharp as the camera saw it: skin that is stretched would lose detail and grain, pressed skin would gain.

    What differs from its surroundings is made stronger by as much as the skin there is stretched.
    """
    wide, high = (
        1 + cv2.Sobel(displacement[..., axis], cv2.CV_32F, 1 - axis, axis, ksize=1, scale=0.5) for axis in (0, 1)
    )
    gain = np.clip(1 / np.maximum(wide * high, 1e-3), *_GAIN) - 1
    seen = luma.astype(np.float32)
    evened = seen + gain * (seen - cv2.GaussianBlur(seen, (0, 0), _DETAIL))
    return np.asarray(np.clip(np.rint(evened), 0, np.iinfo(luma.dtype).max), luma.dtype)


def _at(samples: Floats, step: tuple[int, int]) -> Floats:
    """Samples of every luma pixel, averaged over `step` pixels across and down."""
    if step == (1, 1):
        return samples
    size = samples.shape[1] // step[0], samples.shape[0] // step[1]
    return cv2.resize(samples, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
