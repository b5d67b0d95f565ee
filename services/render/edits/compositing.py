"""Pasting a mouth patch back: only its rectangle of the frame is touched, in the frame's own planes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame, rgb_to_yuv
from services.media.colour import Samples
from services.preprocess.faces import pixel_affine

_MARGIN = 2
"""Patch pixels around the alpha that cubic sampling can reach."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A picture to lay over one face."""

    pixels: NDArray[np.uint8] = field(repr=False)
    """(h, w, 4) RGB and alpha"""
    to_crop: NDArray[np.float32]
    """(2, 3) affine frame -> patch"""
    weight: float
    """0..1 how much of it to show"""
    original: NDArray[np.uint8] | None = field(default=None, repr=False)
    """(h, w, 4) RGB of the frame in the patch's pixels, and how much of its finer detail stays, see composite"""

    def apply(self, frame: Frame) -> None:
        """See MouthEdit.apply."""
        composite(frame, self.pixels, self.to_crop, self.weight, self.original)


def composite(
    frame: Frame,
    patch: NDArray[np.uint8],
    to_crop: NDArray[np.float32],
    weight: float,
    original: NDArray[np.uint8] | None = None,
) -> None:
    """Blend `patch`, (h, w, 4) RGB and alpha in crop pixels, into the frame's planes in place.

    `to_crop` is the affine frame -> crop; `weight` 0..1 scales the alpha. Pixels without alpha stay as they are.
    A patch that repeats most of the frame blurs it, for it was sampled on the way there and is again on the way back.
    With `original`, what that way makes of the frame's own luma is seen, and what it takes is given back.
    """
    trimmed, affine = _trim(patch, to_crop.astype(np.float64))
    (patch, *rest), affine = _shrink([each[trimmed] for each in (patch, original) if each is not None], affine)
    left, top, right, bottom = _rectangle(frame, patch, affine)
    if weight <= 0 or right <= left or bottom <= top:
        return
    from_rectangle = pixel_affine(affine)
    from_rectangle[:, 2] += from_rectangle[:, :2] @ (left, top)

    def warp(part: NDArray[Any], sampling: int, border: int) -> NDArray[np.float32]:
        size = (right - left, bottom - top)
        part = part.astype(np.float32)
        return cv2.warpAffine(part, from_rectangle, size, flags=sampling | cv2.WARP_INVERSE_MAP, borderMode=border)  # type: ignore[return-value]

    # Alpha and chroma are smooth at this scale and a fifth as dear when sampled linearly; luma holds the sharpness.
    yuv = rgb_to_yuv(_without_alpha(patch), frame.matrix, frame.range, frame.bit_depth)
    alpha = warp(patch[..., 3], cv2.INTER_LINEAR, cv2.BORDER_CONSTANT) * np.float32(weight / 255)
    luma = warp(yuv[..., 0], cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    for copy in rest:
        again = rgb_to_yuv(_without_alpha(copy), frame.matrix, frame.range, frame.bit_depth)[..., 0]
        lost = frame.y[top:bottom, left:right] - warp(again, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
        luma += lost * warp(copy[..., 3], cv2.INTER_LINEAR, cv2.BORDER_CONSTANT) / np.float32(255)
    np.clip(luma, 0, (1 << frame.bit_depth) - 1, out=luma)
    _blend(frame.y[top:bottom, left:right], luma, alpha)
    across, down = frame.chroma_step
    chroma_size = (right - left) // across, (bottom - top) // down
    chroma = cv2.resize(
        warp(yuv[..., 1:], cv2.INTER_LINEAR, cv2.BORDER_REPLICATE), chroma_size, interpolation=cv2.INTER_AREA
    )
    chroma_alpha = cv2.resize(alpha, chroma_size, interpolation=cv2.INTER_AREA)
    for channel, plane in enumerate((frame.u, frame.v)):
        part = plane[top // down : bottom // down, left // across : right // across]
        _blend(part, chroma[..., channel], chroma_alpha)


def _without_alpha(patch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(patch, cv2.COLOR_RGBA2RGB).astype(np.uint8, copy=False)


def _trim(patch: NDArray[np.uint8], to_crop: NDArray[np.float64]) -> tuple[tuple[slice, slice], NDArray[np.float64]]:
    """The rows and columns of the patch that have alpha, with the affine that leads to them."""
    x, y, width, height = cv2.boundingRect(patch[..., 3])
    left, top = max(0, x - _MARGIN), max(0, y - _MARGIN)
    rows, columns = slice(top, y + height + _MARGIN), slice(left, x + width + _MARGIN)
    return (rows, columns) if width else (slice(0), slice(0)), to_crop - [[0, 0, left], [0, 0, top]]


def _shrink(
    pictures: list[NDArray[np.uint8]], to_crop: NDArray[np.float64]
) -> tuple[list[NDArray[np.uint8]], NDArray[np.float64]]:
    """Average pictures that are at least twice as fine as the frame, for sampling would skip some of their pixels."""
    steps = int(np.sqrt(abs(np.linalg.det(to_crop[:, :2]))) + 0.01)
    height, width = (side // max(steps, 1) for side in pictures[0].shape[:2])
    if steps < 2 or height == 0 or width == 0:
        return pictures, to_crop
    scale = np.array([[width / pictures[0].shape[1]], [height / pictures[0].shape[0]]])
    small = [cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in pictures]
    return [each.astype(np.uint8, copy=False) for each in small], to_crop * scale


def _rectangle(frame: Frame, patch: NDArray[np.uint8], to_crop: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (excluded) of the patch in the frame, grown to whole chroma samples."""
    height, width = patch.shape[:2]
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]])
    in_frame = (corners - to_crop[:, 2]) @ np.linalg.inv(to_crop[:, :2]).T
    steps = np.array(frame.chroma_step)
    limits = np.array([frame.width, frame.height])
    first = np.clip(np.floor(in_frame.min(axis=0) / steps) * steps, 0, limits).astype(int)
    last = np.clip(np.ceil(in_frame.max(axis=0) / steps) * steps, 0, limits).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def _blend(plane: Samples, wanted: NDArray[Any], alpha: NDArray[Any]) -> None:
    """plane += (wanted - plane) * alpha, rounded; in place."""
    present = plane.astype(np.float32)
    present += (wanted - present) * alpha
    np.rint(present, out=present)
    plane[...] = present.astype(plane.dtype)
