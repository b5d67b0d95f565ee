"""Blinks of a photographed face: the upper lids slide down over the eyes, in the frame's own planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.render.stills.eye_shape import EyeShape, eye_shapes, eyes_can_blink

Array = NDArray[np.floating[Any]]

_LASHES: Final = 0.032
"""Face units above the upper lid's edge that move with it as they are"""
_EDGE: Final = 0.012
"""Face units over which a lid's edge is soft"""
_NEAR, _FAR = 0.03, 0.12
"""Face units from which the lid's skin takes its colours, where there is enough of it and where not"""
_LOWER_REACH: Final = 0.12
"""Face units below the lower lid that follow it"""


@dataclass(frozen=True, slots=True)
class _Eye:
    """One eye, cut out of the photo once: what its lids are painted from."""

    shape: EyeShape
    picture: Array
    """(h, w, 3) Y'CbCr, chroma at full size"""
    skin: Array
    """The same with lashes, creases, glasses and the eye itself filled with the lid's skin"""
    covered: Array
    """(h, w) 0..1: something stands before the lid, such as the rim of glasses"""


class Eyelids:
    """Both eyes of the face in a photo."""

    def __init__(self, frame: Frame, points: NDArray[np.float64]) -> None:
        """`points` are the face's (478, 2) landmarks in pixels of `frame`, the photo."""
        self._unit = float(np.linalg.norm(points[263] - points[33]))
        shapes = eye_shapes(frame, points)
        self.can_blink = eyes_can_blink(frame, points, shapes)
        self._eyes = [_cut_eye(frame, shape, self._unit) for shape in shapes] if self.can_blink else []

    def close(self, frame: Frame, closed: float) -> None:
        """Paint the lids into `frame`, the photo, in place: 0 leaves it as it is, 1 shuts the eyes."""
        for eye in self._eyes if closed > 0 else []:
            _paint(frame, eye, np.float32(closed), np.float32(self._unit))


def _cut_eye(frame: Frame, shape: EyeShape, unit: float) -> _Eye:
    picture = shape.cut(frame)
    luma = picture[..., 0] - shape.black(frame)
    above = shape.upper - shape.v - _LASHES * unit
    lid = luma[(above > 0) & (shape.v > shape.top) & (np.abs(shape.u) < 0.9)]
    typical = float(np.percentile(lid if lid.size else luma, 60))
    off_eye = np.clip(np.maximum(above, shape.v - shape.lower - 0.04 * unit) / (0.01 * unit), 0, 1)
    alike = np.exp(-np.square((luma - typical) / (0.22 * typical + 1))) * off_eye
    skin = _filled(picture, alike.astype(np.float32), unit)
    skin += (picture - skin) * alike[..., None]
    foreign = np.clip(above / (0.012 * unit) - 1, 0, 1)
    foreign[(luma > 0.45 * typical) & (luma < 1.75 * typical)] = 0
    covered = cv2.GaussianBlur(cv2.dilate(foreign, np.ones((3, 3))), (0, 0), max(0.006 * unit, 0.7))
    covered = np.clip(1.5 * covered, 0, 1) * np.clip((1.1 - np.abs(shape.u)) / 0.3, 0, 1)
    return _Eye(shape, picture, skin.astype(np.float32), covered.astype(np.float32))


def _filled(picture: Array, alike: Array, unit: float) -> Array:
    """The colours of the pixels that are `alike` (0..1), smoothly carried on over the others."""
    # Next to what is foreign, the chroma samples are mixed with it.
    size = 2 * round(0.008 * unit) + 1
    weight = cv2.erode(alike, np.ones((size, size))) + np.float32(1e-5)
    blurred = []
    for sigma in (_NEAR * unit, _FAR * unit):
        share = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        blurred.append((share, cv2.GaussianBlur(picture * weight[..., None], (0, 0), sigma) / share))
    (share, near), (_, far) = blurred
    return np.asarray(far + (near - far) * np.clip(share / 0.15, 0, 1), np.float32)


def _paint(frame: Frame, eye: _Eye, closed: np.float32, unit: np.float32) -> None:
    shape = eye.shape
    soft = np.float32(_EDGE) * unit
    rise = closed * shape.rise
    below = np.clip(1 - (shape.v - shape.lower + rise) / (_LOWER_REACH * unit), 0, 1)
    lower = _shifted(eye.picture, shape, -rise * below * below * (3 - 2 * below))
    lower_alpha = np.clip((shape.v - shape.lower + rise) / soft + 0.5, 0, 1) * (rise > 0)

    drop = closed * shape.drop
    edge = shape.upper + drop
    lashes = np.float32(_LASHES) * unit
    depth = np.clip((shape.v - shape.top) / (edge - lashes - shape.top), 0, 1)
    stretched = drop * depth
    detail = eye.picture - eye.skin
    unfolded = _smooth(closed / 0.6) * _smooth(2 * depth) * _smooth((1.05 - np.abs(shape.u)) / 0.3)
    moved = np.clip((shape.v - edge + lashes) / (0.4 * lashes) + 1, 0, 1)
    lid = _shifted(eye.skin, shape, stretched)
    lid += _shifted(detail, shape, stretched) * ((1 - unfolded) * (1 - moved))[..., None]
    lid += _shifted(detail, shape, drop) * moved[..., None]
    lid_alpha = np.clip((edge - shape.v) / soft + 0.1, 0, 1) * (drop > 0) * (shape.v > shape.top) * (1 - eye.covered)

    picture = eye.picture + (lower - eye.picture) * lower_alpha[..., None]
    picture += (lid - picture) * lid_alpha[..., None]
    shape.put(frame, picture, np.maximum(lower_alpha, lid_alpha) > 0)


def _shifted(picture: Array, shape: EyeShape, down: Array) -> Array:
    """The picture moved `down` pixels along the eye's vertical, pixel by pixel."""
    rows, columns = np.indices(picture.shape[:2], np.float32)
    across, along = np.float32(shape.down[0]), np.float32(shape.down[1])
    return np.asarray(
        cv2.remap(
            picture, columns - down * across, rows - down * along, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ),
        np.float32,
    )


def _smooth(share: Any) -> Any:
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)
