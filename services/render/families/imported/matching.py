"""Makes the net's picture fit the footage: its colours at the mask's edge, and the detail that the net cannot know."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.render.families.imported.mask import Masks

_GRID: Final = 48
"""Pixels a side of the colour field, which is smooth"""
_SPREAD: Final = 6.0
"""Deviation, pixels of the field, over which the edge's difference reaches inwards"""
_MOST: Final = 24.0
"""Levels; what differs more is a moved jaw and no colour"""
_NEW: Final = 0.25
"""Share of a frame's own difference in the field, so that it does not flicker"""
_SKIN_DETAIL: Final = 16.0
_LIP_DETAIL: Final = 3.0
"""Levels of the source's own detail that are kept: pores and grain on skin, grain alone on lips"""


class ColourField:
    """By how much the net's colours are off along the mask's edge, spread over the face and steadied over time."""

    def __init__(self) -> None:
        self._field: NDArray[np.float32] | None = None

    def forget(self) -> None:
        """Another face comes."""
        self._field = None

    def follow(
        self, seen: NDArray[np.uint8], painted: NDArray[np.uint8], mask: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(48, 48, 3) levels to add to `painted`; both pictures and the mask show the same place in any size."""
        difference = _small(seen).astype(np.float32) - _small(painted)
        np.clip(difference, -_MOST, _MOST, out=difference)
        share = _small(mask)
        edge = share * (1 - share) + 1e-4 * (share > 0)
        weight = _spread(edge)
        field = _spread(difference * edge[..., None]) / (weight[..., None] + 1e-9)
        kept = field if self._field is None else self._field + _NEW * (field - self._field)
        self._field = np.asarray(kept, np.float32)
        return self._field


def fitted(
    crop: NDArray[np.uint8],
    seen: NDArray[np.uint8],
    painted: NDArray[np.uint8],
    field: NDArray[np.float32],
    masks: Masks,
) -> NDArray[np.uint8]:
    """(h, w, 4) RGB and alpha: `painted` in the resolution of `crop` (h, w, 3), with its detail and the colour field.

    `seen` is the crop as the net saw it: what that lacks of the crop is what the net cannot know. The masks lie over
    the same rectangle.
    """
    size = (crop.shape[1], crop.shape[0])
    detail = crop.astype(np.float32) - _enlarged(seen, size)
    bound = _LIP_DETAIL + (_SKIN_DETAIL - _LIP_DETAIL) * (1 - _enlarged(masks.lips, size))
    bound = bound[..., None]
    picture = _enlarged(painted, size) + _enlarged(field, size) + np.clip(detail, -bound, bound)
    alpha = np.rint(_enlarged(masks.face, size) * 255)
    return np.dstack([np.clip(np.rint(picture), 0, 255), alpha]).astype(np.uint8)


def original(crop: NDArray[np.uint8], masks: Masks) -> NDArray[np.uint8]:
    """(h, w, 4) `crop` and how much of the frame's finer detail stays: all of it on skin, none of the lips'."""
    kept = 1 - _enlarged(masks.lips, (crop.shape[1], crop.shape[0]))
    return np.dstack([crop, np.clip(np.rint(kept * 255), 0, 255).astype(np.uint8)])


def _small(picture: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(picture.astype(np.float32), (_GRID, _GRID), interpolation=cv2.INTER_AREA), np.float32)


def _spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), _SPREAD, borderType=cv2.BORDER_CONSTANT), np.float32)


def _enlarged(picture: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """By cubic for pictures and linear for smooth fields, which must not overshoot."""
    sampling = cv2.INTER_CUBIC if picture.dtype == np.uint8 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture.astype(np.float32), size, interpolation=sampling), np.float32)
