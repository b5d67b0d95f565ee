"""Sampling a frame's planes along displacements, and only where somebody needs the samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.media.colour import Samples

Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]
"""(rows, columns) of a rectangle's luma pixels; what is not 0 counts"""

_LUMA_SAMPLING: Final = cv2.INTER_LANCZOS4
_CHROMA_SAMPLING: Final = cv2.INTER_CUBIC
"""Luma holds the sharpness: with a cubic kernel a grainy chin keeps .75 of its Laplacian variance, with Lanczos' .85"""
_DETAIL: Final = 0.8
"""Pixels; what is coarser than this blur leaves of it is no matter of sharpness"""
_GAIN: Final = (0.75, 1.33)
"""At the most; between lips that part lies a stretch without end"""
REACH: Final = 4
"""Pixels around a sample that its sharpness looks at, or more"""
_UNMOVED: Final = 1 / 64
"""Pixels; OpenCV samples at whole 32nds, so what moves less is the frame's own sample"""
_BAND: Final = 24
"""Rows that are sampled with one call: more calls cost more, fewer sample more that nobody needs"""


def frame_steps(frame: Frame) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Luma pixels (across, down) of a sample of Y, U and V."""
    return (1, 1), frame.chroma_step, frame.chroma_step


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Luma pixels of a frame, whole chroma samples; right and bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def empty(self) -> bool:
        """Without a pixel."""
        return self.right <= self.left or self.bottom <= self.top

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    def joined(self, other: Rectangle) -> Rectangle:
        """The smallest rectangle round both."""
        return Rectangle(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def within(self, other: Rectangle) -> Rectangle:
        """What both have in common; it may be empty."""
        return Rectangle(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def around(self, mask: Mask, step: tuple[int, int]) -> Rectangle:
        """The smallest rectangle round what counts in a mask of this one, in whole chroma samples."""
        column, row, columns, rows = cv2.boundingRect(mask)
        left, top = self.left + column // step[0] * step[0], self.top + row // step[1] * step[1]
        right, bottom = self.left + column + columns, self.top + row + rows
        return Rectangle(left, top, right + -right % step[0], bottom + -bottom % step[1])

    def of_planes(self, frame: Frame) -> list[NDArray[Any]]:
        """The rectangle's parts of Y, U and V."""
        return [self.of_plane(plane, step) for plane, step in zip(frame.planes, frame_steps(frame), strict=True)]

    def of_plane(self, plane: NDArray[Any], step: tuple[int, int]) -> NDArray[Any]:
        """The rectangle's part of a plane that has a sample for `step` luma pixels across and down."""
        return plane[self.place(step)]

    def place(self, step: tuple[int, int]) -> tuple[slice, slice]:
        """Its rows and columns in such a plane."""
        across, down = step
        return slice(self.top // down, self.bottom // down), slice(self.left // across, self.right // across)

    def part_of(self, array: NDArray[Any], whole: Rectangle, step: tuple[int, int] = (1, 1)) -> NDArray[Any]:
        """The part of `array`, which covers the rectangle `whole`."""
        moved = Rectangle(
            self.left - whole.left, self.top - whole.top, self.right - whole.left, self.bottom - whole.top
        )
        return moved.of_plane(array, step)


@dataclass(frozen=True, slots=True, eq=False)
class Displacement:
    """From every luma pixel of a rectangle to the place in the frame that it shows, in luma pixels."""

    across: Floats
    """(rows, columns)"""
    down: Floats

    def part(self, rectangle: Rectangle, whole: Rectangle) -> Displacement:
        """Of a rectangle inside the one that this one is of."""
        return Displacement(rectangle.part_of(self.across, whole), rectangle.part_of(self.down, whole))

    def moving(self) -> Mask:
        """Where samples are other than the frame's own."""
        return (cv2.magnitude(self.across, self.down) >= _UNMOVED).astype(np.uint8)


class Sampler:
    """The planes of one frame as they were when it was made."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        # U and V are displaced alike: together they cost two thirds of both alone.
        self._chroma = cv2.merge([frame.u, frame.v])
        self._highest = (1 << frame.bit_depth) - 1

    def sampled(self, rectangle: Rectangle, displacement: Displacement, needed: Mask) -> list[Samples]:
        """The rectangle's Y, U and V, each sample taken from where its displacement points to.

        Where nobody needs them, samples may be the frame's own. Whoever needs a luma sample needs those that lie
        within REACH, too.
        """
        step = self._frame.chroma_step
        luma = rectangle.of_plane(self._frame.y, (1, 1)).copy()
        chroma = rectangle.of_plane(self._chroma, step).copy()
        (x, y), (chroma_x, chroma_y) = (_places(rectangle, displacement, one) for one in ((1, 1), step))
        border = cv2.BORDER_REPLICATE
        for part in _bands(needed, step):
            at = part.place((1, 1))
            luma[at] = cv2.remap(self._frame.y, x[at], y[at], _LUMA_SAMPLING, borderMode=border)
            at = part.place(step)
            chroma[at] = cv2.remap(self._chroma, chroma_x[at], chroma_y[at], _CHROMA_SAMPLING, borderMode=border)
        planes = [_as_sharp(luma, displacement), *cv2.split(chroma)]
        return [np.minimum(plane, self._highest) for plane in planes] if self._highest > 255 else planes


def channels(samples: Floats) -> list[Floats]:
    """(rows, columns, n) as n planes; whatever is done with them is several times faster."""
    return [np.asarray(plane, np.float32) for plane in cv2.split(samples)]


def at_step(samples: Floats, step: tuple[int, int]) -> Floats:
    """Samples of every luma pixel, averaged over `step` pixels across and down."""
    if step == (1, 1):
        return samples
    size = samples.shape[1] // step[0], samples.shape[0] // step[1]
    return cv2.resize(samples, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def widened(mask: Mask) -> Mask:
    """The mask and all within REACH of it."""
    side = 2 * REACH + 1
    return np.asarray(cv2.dilate(mask, np.ones((side, side), np.uint8)), np.uint8)


def _places(rectangle: Rectangle, displacement: Displacement, step: tuple[int, int]) -> tuple[Floats, Floats]:
    """Columns and rows of the plane that the rectangle's samples are taken from."""
    across, down = step
    columns = np.arange(rectangle.left // across, rectangle.right // across, dtype=np.float32)
    rows = np.arange(rectangle.top // down, rectangle.bottom // down, dtype=np.float32)
    x = at_step(displacement.across, step) * np.float32(1 / across)
    y = at_step(displacement.down, step) * np.float32(1 / down)
    x += columns
    y += rows[:, None]
    return x, y


def _bands(needed: Mask, step: tuple[int, int]) -> Iterator[Rectangle]:
    """Rows and columns around all that is needed, in whole chroma samples; small gaps are filled."""
    tops = np.arange(0, len(needed), _BAND)
    anywhere = np.zeros((len(tops), needed.shape[1] + 2), np.bool_)
    anywhere[:, 1:-1] = np.maximum.reduceat(needed, tops, axis=0)
    # Where a run of columns begins, and where it is over.
    bands, edges = np.nonzero(anywhere[:, 1:] != anywhere[:, :-1])
    spans: list[tuple[int, int, int]] = []
    for band, left, right in zip(bands[::2].tolist(), edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if spans and spans[-1][0] == band and left - spans[-1][2] < _BAND:
            left = spans.pop()[1]
        spans.append((band, left, right))
    across = step[0]
    for band, left, right in spans:
        top = band * _BAND
        yield Rectangle(left - left % across, top, right + -right % across, min(top + _BAND, len(needed)))


def _as_sharp(luma: Samples, displacement: Displacement) -> Samples:
    """Luma as sharp as the camera saw it: skin that is stretched would lose detail and grain, pressed skin would gain.

    What differs from its surroundings is made stronger by as much as the skin there is stretched.
    """
    gain = np.asarray(cv2.Sobel(displacement.across, cv2.CV_32F, 1, 0, ksize=1, scale=0.5), np.float32)
    gain += 1
    high = cv2.Sobel(displacement.down, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    high += 1
    gain *= high
    np.maximum(gain, 1e-3, out=gain)
    np.divide(1, gain, out=gain)
    np.clip(gain, *_GAIN, out=gain)
    gain -= 1
    seen = luma.astype(np.float32)
    seen -= cv2.GaussianBlur(seen, (0, 0), _DETAIL)
    seen *= gain
    return np.asarray(cv2.add(luma, seen, dtype=cv2.CV_16U if luma.dtype == np.uint16 else cv2.CV_8U), luma.dtype)
