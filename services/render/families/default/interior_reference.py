"""Reference frames of a person as the interior reads them: pictures in face units, and where the lips lie in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import CropSpec, FaceIntroduction

Colour = NDArray[np.float32]
"""(..., 3) RGB 0..1"""

UPPER_LIP: Final = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
LOWER_LIP: Final = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
UPPER_RIM: Final = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]
LOWER_RIM: Final = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]
"""Inner and outer contours of the lips, 11 landmarks each from the image's left corner to the right one"""
HEIGHTS: Final = 15
"""Samples from the upper lip to the lower one"""
_LEAST_WEIGHT: Final = 0.5
"""A face whose mouth is hidden, or turned away, shows less of the effect, and nothing that should be copied"""
_LUMINANCE: Final = np.array([0.30, 0.59, 0.11], np.float32)


@dataclass(frozen=True, slots=True)
class Reference:
    """One frame of a person in face units relative to the centre of the resting mouth."""

    image: Colour = field(repr=False)
    """(s, s, 3)"""
    points: NDArray[np.float64] = field(repr=False)
    """(478, 2) all landmarks as they are"""
    rest: NDArray[np.float64] = field(repr=False)
    """(478, 2) with the mouth at rest"""
    corner: NDArray[np.float64]
    """(2,) of the crop"""
    scale: float
    """Crop pixels in a face unit"""

    @property
    def opening(self) -> float:
        """Distance of the inner lips in the middle."""
        return float(np.linalg.norm(self.points[13] - self.points[14]))

    @property
    def to_picture(self) -> NDArray[np.float64]:
        """(2, 3) affine face units -> crop pixels."""
        return np.column_stack([np.eye(2) * self.scale, -self.corner * self.scale])

    @property
    def to_face(self) -> NDArray[np.float64]:
        """(2, 3) affine crop pixels -> face units."""
        return np.column_stack([np.eye(2) / self.scale, self.corner])

    @property
    def half_width(self) -> float:
        """Of the resting mouth."""
        return float(np.linalg.norm(self.rest[61] - self.rest[291])) / 2

    @property
    def smile(self) -> float:
        """Curvature of the resting seam: y goes with smile * x^2; negative where the corners are up."""
        seam = (self.rest[UPPER_LIP] + self.rest[LOWER_LIP]) / 2
        return float(np.polyfit(seam[:, 0], seam[:, 1], 2)[0])

    def upper_line(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """y of the upper lip's inner edge at x."""
        return np.interp(x, self.points[UPPER_LIP, 0], self.points[UPPER_LIP, 1])

    def lower_line(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """y of the lower lip's inner edge at x."""
        return np.interp(x, self.points[LOWER_LIP, 0], self.points[LOWER_LIP, 1])

    def lip_colour(self) -> Colour:
        """(3,) of both lips, half way between their edges."""
        inner = np.concatenate([self.points[UPPER_LIP][3:8], self.points[LOWER_LIP][3:8]])
        rims = np.concatenate([self.points[UPPER_RIM][3:8], self.points[LOWER_RIM][3:8]])
        middle = (inner + rims) / 2
        return np.asarray(np.median(self.sample(middle[None, :, 0], middle[None, :, 1])[0], axis=0), np.float32)

    def sample(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> Colour:
        """Colours (..., 3) at face units (x, y), bilinear; x and y are of one shape (rows, columns)."""
        pixel_x = ((x - self.corner[0]) * self.scale - 0.5).astype(np.float32)
        pixel_y = ((y - self.corner[1]) * self.scale - 0.5).astype(np.float32)
        return cv2.remap(self.image, pixel_x, pixel_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def between_lips(reference: Reference, columns: slice, edge: float) -> Colour:
    """(HEIGHTS n, 3) colours between the inner lips at n of their 11 points, but for that share at either edge."""
    upper, lower = reference.points[UPPER_LIP][columns], reference.points[LOWER_LIP][columns]
    share = np.linspace(edge, 1 - edge, HEIGHTS)[:, None, None]
    inside = (upper * (1 - share) + lower * share).reshape(-1, 2)
    return np.asarray(reference.sample(inside[None, :, 0], inside[None, :, 1])[0], np.float32)


def read_references(introduction: FaceIntroduction, crop: CropSpec) -> list[Reference]:
    """The introduction's references, from the most closed to the most open mouth; hidden ones only if all are."""
    batch = introduction.references
    scale = batch.side / crop.extent
    visible = batch.weight >= _LEAST_WEIGHT
    shown = np.flatnonzero(visible if visible.any() else ~visible)
    references = []
    for image, landmarks, rest in zip(batch.crops[shown], batch.landmarks[shown], batch.rest[shown], strict=True):
        points = rest[:, :2].astype(np.float64)
        centre = np.array([points[[61, 291], 0].mean(), points[[13, 14], 1].mean()])
        references.append(
            Reference(
                image=image.astype(np.float32) / 255,
                points=(landmarks[:, :2] - centre) / scale,
                rest=(points - centre) / scale,
                corner=-centre / scale,
                scale=scale,
            )
        )
    return references


def luminance(colours: NDArray[np.floating]) -> NDArray[np.float32]:
    """Of RGB colours (..., 3)."""
    return np.asarray(colours @ _LUMINANCE, np.float32)


def saturation(colours: NDArray[np.floating]) -> NDArray[np.float32]:
    """Of RGB colours (..., 3): 0 grey .. 1."""
    brightest = colours.max(axis=-1)
    return np.asarray((brightest - colours.min(axis=-1)) / (brightest + 1e-3), np.float32)
