"""A drawn face that needs no model: a picture in any form that frames have, and its landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame, Matrix, Range

SIZE = 320, 400
"""Width and height"""
MIDDLE = np.array([160.0, 190.0])
UNIT = 100.0
"""Pixels between the outer eye corners"""
EYES = np.array([[128.0, 170.0], [192.0, 170.0]])
EYE = np.array([18.0, 8.0])
"""Half width and half height"""
_OVAL = np.array([72.0, 100.0])
_CONTOURS = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)),
)
_CREASES = ((247, 30, 29, 27, 28, 56, 190), (414, 286, 258, 257, 259, 260, 467))
_OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """What the face looks like, in 8-bit full-range luma."""

    skin: float = 150
    white: float = 210
    iris: float = 30
    glasses: float | None = None
    opening: float = 1.0
    grain: float = 0.0
    """Pixels by which the noise is smoothed"""
    bit_depth: int = 8
    chroma_step: tuple[int, int] = (2, 2)
    range: Range = Range.LIMITED


def draw_face(look: Look | None = None) -> Frame:
    """The face before a finely patterned wall; it has the grain of a photo."""
    look = look or Look()
    width, height = SIZE
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    noise = np.random.default_rng(5).normal(0, 1, (height, width))
    if look.grain:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), look.grain), np.float64)
    luma = 110 + 40 * np.sin(x / 3) * np.sin(y / 4) + 6 * noise
    luma = np.where(_ellipse(x, y, MIDDLE, _OVAL * 1.1), look.skin + 4 * noise, luma)
    for eye in EYES:
        if look.glasses is not None:
            luma = np.where(_ellipse(x, y, eye, np.array([31.0, 27.0])), look.glasses, luma)
            continue
        inside = _ellipse(x, y, eye, EYE * (1, max(look.opening, 0.01)))
        luma = np.where(inside, look.white, luma)
        luma = np.where(inside & _ellipse(x, y, eye, np.array([8.0, 8.0])), look.iris, luma)
    steps = 1 << (look.bit_depth - 8)
    low, span = (16, 219 / 255) if look.range is Range.LIMITED else (0, 1)
    sample = np.uint8 if look.bit_depth == 8 else np.uint16
    planes = np.clip(np.rint((low + np.clip(luma, 0, 255) * span) * steps), 0, 256 * steps - 1).astype(sample)
    across, down = look.chroma_step
    blue, red = ((value + 10 * np.sin(x / 9))[::down, ::across] * steps for value in (118, 146))
    return Frame(0, planes, blue.astype(sample), red.astype(sample), look.bit_depth, Matrix.BT709, look.range)


def face_points(opening: float = 1.0) -> NDArray[np.float64]:
    """(478, 3) landmarks of the face in pixels; the nose is nearest."""
    points = np.empty((478, 3))
    chance = np.random.default_rng(7)
    angle, radius = chance.uniform(0, 2 * np.pi, 478), np.sqrt(chance.uniform(0, 0.9, 478))
    points[:, :2] = MIDDLE + _OVAL * np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    turn = np.linspace(0, 2 * np.pi, len(_OUTLINE), endpoint=False)
    points[list(_OUTLINE), :2] = MIDDLE + _OVAL * np.column_stack([np.sin(turn), -np.cos(turn)])
    for eye, contours, crease in zip(EYES, _CONTOURS, _CREASES, strict=True):
        for side, contour in zip((-1, 1), contours, strict=True):
            along = np.linspace(-1, 1, 9)
            heights = side * opening * np.sqrt(1 - along**2)
            points[list(contour), :2] = eye + EYE * np.column_stack([along, heights])
        along = np.linspace(-0.9, 0.9, 7)
        points[list(crease), :2] = eye + EYE * np.column_stack([along, -0.9 - np.sqrt(1 - along**2)])
    for index, place in {50: (-35, 30), 280: (35, 30), 151: (0, -60)}.items():
        points[index, :2] = MIDDLE + place
    points[:, 2] = -60 * np.sqrt(np.clip(1 - np.square((points[:, :2] - MIDDLE) / _OVAL).sum(axis=1), 0, 1))
    return points


def _ellipse(
    x: NDArray[np.float64], y: NDArray[np.float64], middle: NDArray[np.float64], radii: NDArray[np.float64]
) -> NDArray[np.bool_]:
    return np.asarray(np.square((x - middle[0]) / radii[0]) + np.square((y - middle[1]) / radii[1]) < 1)
