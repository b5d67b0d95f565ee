"""Grain for what is painted into a frame: it is borrowed from smooth skin of the same frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media.colour import Samples

_REACH: Final = (0.09, 0.07)
"""Half width and half height of the patch of skin, face units"""
_LEAST_REACH: Final = 4
"""Pixels; a smaller patch says nothing"""
_COARSE: Final = 1 / 90
"""Face units of blur; what is left of it is skin and light and no grain"""
_MOST: Final = 3.0
"""Deviations: what differs more is a hair or a wrinkle"""
_STRONGEST: Final = 0.04
"""Deviation by the brightness of the skin: what is rougher is wrinkled, or printed on paper"""


@dataclass(frozen=True, slots=True)
class Grain:
    """Where a face is smooth, in face units."""

    x: float
    y: float

    def for_paint(self, luma: Samples, to_face: NDArray[np.float64], paint: NDArray[np.float32]) -> NDArray[np.float32]:
        """Grain (rows, columns) for painted luma, from the luma plane; paint unlike skin has less.

        `to_face` is the affine frame -> face units. No grain when the patch lies outside the frame.
        """
        from_face = np.linalg.inv(to_face[:, :2])
        unit = float(np.sqrt(abs(np.linalg.det(from_face))))
        across, down = (max(round(reach * unit), _LEAST_REACH) for reach in _REACH)
        column, row = np.rint(from_face @ ((self.x, self.y) - to_face[:, 2])).astype(int)
        if column < across or row < down or column + across > luma.shape[1] or row + down > luma.shape[0]:
            return np.zeros_like(paint)
        skin = luma[row - down : row + down, column - across : column + across].astype(np.float32)
        rough = _roughness(skin, max(_COARSE * unit, 1.0))
        over = cv2.copyMakeBorder(
            rough,
            0,
            max(paint.shape[0] - rough.shape[0], 0),
            0,
            max(paint.shape[1] - rough.shape[1], 0),
            cv2.BORDER_REFLECT,
        )[: paint.shape[0], : paint.shape[1]]
        # Film and sensors are grainiest in the middle of their range, where skin lies.
        level = max(float(skin.mean()), 1)
        brightness = np.maximum(paint, 1) / level
        share = min(1.0, _STRONGEST * level / max(float(rough.std()), 1e-3))
        return np.asarray(over * share * (0.3 + 0.7 * np.minimum(brightness, 1 / brightness)), np.float32)


def smooth_place(
    grey: NDArray[np.float32], to_picture: NDArray[np.float64], places: tuple[tuple[float, float], ...]
) -> Grain:
    """The smoothest of the places (face units) in a brightness picture; `to_picture` is the affine face units -> it."""
    unit = float(np.sqrt(abs(np.linalg.det(to_picture[:, :2]))))
    across, down = (max(round(reach * unit), 1) for reach in _REACH)

    def roughness(place: tuple[float, float]) -> float:
        column, row = np.rint(to_picture[:, :2] @ place + to_picture[:, 2]).astype(int)
        skin = grey[max(row - down, 0) : row + down, max(column - across, 0) : column + across]
        return float(np.abs(_roughness(skin, max(_COARSE * unit, 1.0))).mean()) if skin.size else np.inf

    return Grain(*min(places, key=roughness))


def _roughness(skin: NDArray[Any], blur: float) -> NDArray[np.float32]:
    """What differs from the blurred skin, without hairs."""
    rough = skin - cv2.GaussianBlur(skin, (0, 0), blur)
    most = _MOST * 1.4826 * float(np.median(np.abs(rough)))
    return np.asarray(np.clip(rough, -most, most), np.float32)
