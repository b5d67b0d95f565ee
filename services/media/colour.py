"""Colour as video keeps it: matrix, range and tags, and the way between Y'CbCr and RGB."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]
"""Picture samples: uint8 for 8 bit, uint16 for 10 bit"""


class Matrix(StrEnum):
    """Which luma weights a picture was coded with."""

    BT601 = "bt601"
    BT709 = "bt709"
    BT2020 = "bt2020"


class Range(StrEnum):
    """Which code values black and white have: 16 and 235 (limited) or 0 and 255 (full), at 8 bit."""

    LIMITED = "limited"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What the file says about its colour, as FFmpeg's numbers (ISO/IEC 23091-2); 2 is unspecified, for range 0."""

    matrix: int = 2
    range: int = 0
    primaries: int = 2
    transfer: int = 2


PQ: Final = 16
HLG: Final = 18
"""Transfer functions of high dynamic range (SMPTE ST 2084, ARIB STD-B67)"""
BT2020: Final = 9
DISPLAY_P3: Final = 12
DCI_P3: Final = 11
WIDE_PRIMARIES: Final = frozenset({BT2020, DCI_P3, DISPLAY_P3})
"""Primaries whose colours an ordinary screen does not have all"""
_LUMA_WEIGHTS: Final = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722), Matrix.BT2020: (0.2627, 0.0593)}
_MATRIX_OF_TAG: Final = {
    1: Matrix.BT709, 4: Matrix.BT601, 5: Matrix.BT601, 6: Matrix.BT601, 9: Matrix.BT2020, 10: Matrix.BT2020,
    7: Matrix.BT709,  # SMPTE 240M, old HD: its weights are within .02 of these
}  # fmt: skip
_FULL_RANGE_TAG: Final = 2


def matrix_of(tags: ColourTags, width: int, height: int) -> Matrix:
    """The matrix to calculate with; a file that names none is BT.709 when it is larger than standard definition."""
    larger = max(width, height) >= 1280 or min(width, height) > 576
    return _MATRIX_OF_TAG.get(tags.matrix, Matrix.BT709 if larger else Matrix.BT601)


def range_of(tags: ColourTags) -> Range:
    """The range to calculate with; limited unless the file says otherwise."""
    return Range.FULL if tags.range == _FULL_RANGE_TAG else Range.LIMITED


def yuv_to_rgb(yuv: Samples, matrix: Matrix, range: Range, bit_depth: int) -> NDArray[np.uint8]:
    """(h, w, 3) Y'CbCr samples, chroma at full size, as (h, w, 3) RGB."""
    rgb: Samples = cv2.transform(yuv, _to_rgb(matrix, range, bit_depth))
    return np.minimum(rgb, 255).astype(np.uint8) if bit_depth > 8 else rgb.astype(np.uint8, copy=False)


def rgb_to_yuv(rgb: NDArray[np.uint8], matrix: Matrix, range: Range, bit_depth: int) -> Samples:
    """(h, w, 3) RGB as (h, w, 3) Y'CbCr samples, chroma at full size: uint8 for 8 bit, uint16 for 10 bit.

    Within one step the inverse of yuv_to_rgb for every colour that RGB has.
    """
    source = rgb if bit_depth == 8 else rgb.astype(np.uint16)
    yuv: Samples = cv2.transform(source, _to_yuv(matrix, range, bit_depth))
    return yuv if bit_depth == 8 else np.minimum(yuv, (1 << bit_depth) - 1)


@lru_cache(maxsize=16)
def _to_yuv(matrix: Matrix, range: Range, bit_depth: int) -> NDArray[np.float32]:
    """(3, 4) affine from 8-bit RGB to code values."""
    red, blue = _LUMA_WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    weights = np.stack([luma, ([0, 0, 1] - luma) / (2 - 2 * blue), ([1, 0, 0] - luma) / (2 - 2 * red)])
    steps = 1 << (bit_depth - 8)
    top = (1 << bit_depth) - 1
    spans = np.array([top] * 3 if range is Range.FULL else [219 * steps, 224 * steps, 224 * steps])
    offset = [0 if range is Range.FULL else 16 * steps, 128 * steps, 128 * steps]
    return np.column_stack([weights * spans[:, None] / 255, offset]).astype(np.float32)


@lru_cache(maxsize=16)
def _to_rgb(matrix: Matrix, range: Range, bit_depth: int) -> NDArray[np.float32]:
    """(3, 4) affine from code values to 8-bit RGB."""
    forward = _to_yuv(matrix, range, bit_depth).astype(np.float64)
    inverse = np.linalg.inv(forward[:, :3])
    return np.column_stack([inverse, -inverse @ forward[:, 3]]).astype(np.float32)
