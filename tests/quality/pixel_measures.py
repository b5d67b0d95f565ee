"""What is measured on the pixels of a rendered face: what stays untouched, sharpness, flicker, and an open mouth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.quality.mouth_measures import Series, eye_distance, mouth_frame

Image = NDArray[np.uint8]

CLOSE_UP = 1.2
"""Eye distances that a close-up of the mouth is wide"""
BELOW = 0.08
"""Eye distances that its middle lies below the corners of the mouth"""
_AROUND_MOUTH = (2, 186, 410, 57, 287, 43, 273, 204, 424, 200)
_INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
_RIM = 0.03
"""Eye distances round the inner lips that are no skin"""
_INSIDE = (0.2, 0.06, 0.28)
"""Where an open mouth shows in a close-up: half its width, above and below the corners, in eye distances"""
_DARK = 0.75
_COLOURLESS = 0.6


def outside_lower_face(shape: tuple[int, int], landmarks: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(height, width) True outside an ellipse of .75 x .70 eye distances around a point just below the mouth."""
    unit, along, mouth = mouth_frame(landmarks)
    x, y = mouth + 0.20 * unit * _down(along)
    axes = (round(0.75 * unit), round(0.70 * unit))
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    inside = np.zeros(shape, np.uint8)
    cv2.ellipse(inside, (round(x), round(y)), axes, angle, 0, 360, 1, cv2.FILLED)
    return np.asarray(inside == 0)


def decibels(squared_error: float) -> float:
    """PSNR of 8-bit samples; 99 stands for no difference at all."""
    return 99.0 if squared_error == 0 else min(99.0, float(10 * np.log10(255**2 / squared_error)))


def mouth_sharpness(luma: Image, landmarks: NDArray[np.floating]) -> float:
    """Variance of the Laplacian of the lips and the skin round them; what shows between the lips is left out."""
    points = landmarks[:, :2]
    around = cv2.convexHull(points[list(_AROUND_MOUTH)].round().astype(np.int32))
    left, top, width, height = cv2.boundingRect(around)
    region = np.zeros((height, width), np.uint8)
    cv2.fillPoly(region, [around - (left, top)], 1)
    inner = points[list(_INNER_LIPS)].round().astype(np.int32) - (left, top)
    cv2.fillPoly(region, [inner], 0)
    rim = round(2 * _RIM * float(eye_distance(landmarks)))
    cv2.polylines(region, [inner], isClosed=True, color=0, thickness=max(rim, 1))
    laplacian = cv2.Laplacian(luma[top : top + height, left : left + width], cv2.CV_64F)
    return float(laplacian[region > 0].var())


def mouth_close_up(rgb: Image, landmarks: NDArray[np.floating], side: int = 192) -> Image:
    """(side, side, 3): the mouth upright, CLOSE_UP eye distances wide."""
    unit, along, mouth = mouth_frame(landmarks)
    linear = np.column_stack([along, _down(along)]) * (CLOSE_UP * unit / side)
    centre = mouth + BELOW * unit * _down(along)
    affine = np.column_stack([linear, centre - linear @ np.full(2, side / 2)])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(rgb, affine, (side, side), flags=flags), np.uint8)


def visible_inside(close_up: Image) -> float:
    """Share of the mouth's box in a close-up that is much darker than the face or has no colour: cavity and teeth.

    No landmark of the output takes part, so it tells an open mouth from a shut one independently of them.
    """
    lab = cv2.cvtColor(close_up.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    light, colour = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    inside = (light < _DARK * np.median(light)) | (colour < _COLOURLESS * np.median(colour))
    side = close_up.shape[0]
    unit = side / CLOSE_UP
    half, above, below = (round(reach * unit) for reach in _INSIDE)
    corners = round(side / 2 - BELOW * unit)
    return float(inside[corners - above : corners + below, side // 2 - half : side // 2 + half].mean())


def flicker(close_ups: Sequence[Image]) -> float:
    """Mean change of the luma from one frame to the next in upright close-ups of the mouth."""
    lumas = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in close_ups]
    return float(np.mean([np.abs(after - before).mean() for before, after in pairwise(lumas)]))


def _down(along: Series) -> Series:
    return np.array([-along[1], along[0]])
