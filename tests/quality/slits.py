"""Lips that are hardly apart: how dark the slit between them is, real ones and rendered ones."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.quality.mouth_measures import inner_opening
from tests.quality.mouth_profiles import LUMINANCE, cheek_colour
from tests.quality.pixel_measures import Image

_APART: Final = (0.012, 0.05)
"""Eye distances between the inner lips"""
_INNER: Final = (81, 82, 13, 312, 311), (178, 87, 14, 317, 402)
_OUTER: Final = (39, 37, 0, 267, 269), (181, 84, 17, 314, 405)
"""Edges of the upper and the lower lip, in the middle of the mouth"""
_HEIGHTS: Final = 41
_LIP: Final = 6
"""Heights at either end that show a lip, from its middle on"""


def slit_depth(rgb: Image, landmarks: NDArray[np.floating]) -> float | None:
    """How much darker than the darker lip it gets between them, over the cheeks' luminance; None: shut, or too open."""
    if not _APART[0] < float(inner_opening(landmarks)) < _APART[1]:
        return None
    upper, lower = (
        (landmarks[list(inner), :2] + landmarks[list(outer), :2]).astype(np.float64) / 2
        for inner, outer in zip(_INNER, _OUTER, strict=True)
    )
    at = (upper + (lower - upper) * np.linspace(0, 1, _HEIGHTS)[:, None, None] - 0.5).astype(np.float32)
    seen = cv2.remap(rgb, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) @ LUMINANCE
    lips = np.minimum(seen[:_LIP].mean(axis=0), seen[-_LIP:].mean(axis=0))
    depth = (lips - seen[_LIP:-_LIP].min(axis=0)).mean()
    return float(depth) / max(float(cheek_colour(rgb, landmarks) @ LUMINANCE), 1.0)
