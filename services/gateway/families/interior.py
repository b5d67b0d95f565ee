"""What is seen between the lips: the person's own teeth where a reference shows them, drawn ones elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.gateway.families.teeth import ATLAS_HEIGHT, ATLAS_REACH, ATLAS_SPREAD, ATLAS_WIDTH, draw_teeth
from services.preprocess.faces import CropSpec, FaceIntroduction

_UPPER_LIP: Final = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
_LOWER_LIP: Final = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
_UPPER_RIM: Final = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]
_LOWER_RIM: Final = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]
"""Inner and outer contours of the lips, 11 landmarks each from the image's left corner to the right one"""
_LUMINANCE: Final = np.array([0.30, 0.59, 0.11], np.float32)

_SKIN_TINT: Final = np.array([1.22, 0.94, 0.80])
"""Colour of skin in white light by its luminance: what differs from it is the colour of the light."""
_ENAMEL: Final = np.array([1.04, 0.95, 0.85])
"""Warmer than a tooth in the open: what light reaches it comes past the lips."""

_LEAST_OPENING = 0.05
_LEAST_EYE_DISTANCE = 70
"""Pixels; a smaller face shows no teeth worth copying."""
_JAW_SHARE = 0.85
"""The lower teeth follow this share of the lower lip's drop; the renderer moves the lower atlas back by it."""
_LIP_EDGE = 0.010
"""Face units inside the lips' contours that still show lip"""


@dataclass(frozen=True, slots=True)
class Interior:
    """What the renderer shows between the lips of one person."""

    upper_teeth: NDArray[np.uint8]
    """(128, 256, 4) RGBA, fixed to the skull"""
    lower_teeth: NDArray[np.uint8]
    """(128, 256, 4) RGBA, moves with the jaw"""
    tones: NDArray[np.float32]
    """(3, 3): RGB of the cavity, RGB of the tongue, (1 when the teeth were drawn and need the shading, 0, 0)"""


@dataclass(frozen=True, slots=True)
class Reference:
    """One frame of a person in face units relative to the centre of the resting mouth."""

    image: NDArray[np.float32]
    """(s, s, 3) RGB 0..1"""
    lips: NDArray[np.float64]
    """(478, 2) all landmarks as they are"""
    half_width: float
    """Of the resting mouth"""
    centre: NDArray[np.float64]
    """(2,) of the resting mouth in crop pixels"""
    scale: float
    """Crop pixels in a face unit"""

    @property
    def opening(self) -> float:
        """Distance of the inner lips in the middle."""
        return float(np.linalg.norm(self.lips[13] - self.lips[14]))

    def sample(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float32]:
        """Colours (..., 3) at face units (x, y), bilinear; x and y are of one shape (rows, columns)."""
        pixel_x = (x * self.scale + self.centre[0] - 0.5).astype(np.float32)
        pixel_y = (y * self.scale + self.centre[1] - 0.5).astype(np.float32)
        return cv2.remap(self.image, pixel_x, pixel_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def mouth_interior(introduction: FaceIntroduction, crop: CropSpec) -> Interior:
    """The interior of the introduced person's mouth, from the references that preprocess chose."""
    references = read_references(introduction, crop)
    closed, opened = references[0], max(references, key=lambda reference: min(reference.opening, 0.15))
    teeth, gum, tones = _colours(closed)
    # As sharp as the footage: half a source pixel, in atlas pixels.
    atlas_pixel = 2 * ATLAS_SPREAD * closed.half_width / ATLAS_WIDTH
    blur = max(0.8, 0.5 / (introduction.eye_distance * atlas_pixel))
    upper, lower = draw_teeth(closed.half_width, teeth, gum, blur)
    if introduction.eye_distance >= _LEAST_EYE_DISTANCE and shows_teeth(opened):
        upper, own_lower = retrieve_teeth(opened)
        lower = own_lower if own_lower is not None else lower
        tones[2, 0] = 0
    return Interior(_to_bytes(upper), _to_bytes(lower), tones)


def read_references(introduction: FaceIntroduction, crop: CropSpec) -> list[Reference]:
    """The introduction's references, from the most closed to the most open mouth."""
    batch = introduction.references
    scale = batch.crops.shape[1] / crop.extent
    references = []
    for image, landmarks, rest in zip(batch.crops, batch.landmarks, batch.rest, strict=True):
        points = rest[:, :2].astype(np.float64)
        centre = np.array([points[[61, 291], 0].mean(), points[[13, 14], 1].mean()])
        references.append(
            Reference(
                image=image.astype(np.float32) / 255,
                lips=(landmarks[:, :2] - centre) / scale,
                half_width=float(np.linalg.norm(points[61] - points[291])) / 2 / scale,
                centre=centre,
                scale=scale,
            )
        )
    return references


def shows_teeth(reference: Reference) -> bool:
    """True when the open mouth of `reference` shows teeth, and its landmarks lie on its lips."""
    if reference.opening <= _LEAST_OPENING:
        return False
    inner_upper, inner_lower = reference.lips[_UPPER_LIP][3:8], reference.lips[_LOWER_LIP][3:8]
    outer_upper, outer_lower = reference.lips[_UPPER_RIM][3:8], reference.lips[_LOWER_RIM][3:8]
    on_lips = np.concatenate([(inner_upper + outer_upper) / 2, (inner_lower + outer_lower) / 2])
    share = np.linspace(0.15, 0.85, 15)[:, None, None]
    inside = (inner_upper * (1 - share) + inner_lower * share).reshape(-1, 2)
    lips = np.median(reference.sample(on_lips[None, :, 0], on_lips[None, :, 1])[0], axis=0)
    colours = reference.sample(inside[None, :, 0], inside[None, :, 1])[0]
    teeth = (_saturation(colours) < 0.72 * _saturation(lips)) & (colours @ _LUMINANCE > 0.7 * (lips @ _LUMINANCE))
    lip_like = np.abs(colours - lips).max(axis=-1) < 0.10
    return bool(teeth.mean() > 0.12 and lip_like.mean() < 0.25)


def retrieve_teeth(reference: Reference) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Upper and lower atlas, (128, 256, 4) 0..1, cut from the open mouth; None: no row of lower teeth can be told."""
    x = ((np.arange(ATLAS_WIDTH) + 0.5) / ATLAS_WIDTH * 2 - 1) * ATLAS_SPREAD * reference.half_width
    y = ((np.arange(ATLAS_HEIGHT) + 0.5) / ATLAS_HEIGHT * 2 - 1) * ATLAS_REACH
    upper_lip, lower_lip = reference.lips[_UPPER_LIP], reference.lips[_LOWER_LIP]
    top = np.interp(x, upper_lip[:, 0], upper_lip[:, 1]) + _LIP_EDGE
    bottom = np.interp(x, lower_lip[:, 0], lower_lip[:, 1]) - _LIP_EDGE
    split = _dark_split(reference)
    cut = top + (bottom - top) * split
    # A mouth without a dark gap shows upper teeth only: they may reach the lower lip.
    edge = cut + (_LIP_EDGE / 2 if split == 1 else 0)
    upper = _cut_out(reference, x, y, (top, cut), _soft_step(edge - y[:, None]))
    if split == 1:
        return upper, None
    drop = _JAW_SHARE * max(0.0, float(lower_lip[5, 1]))
    lower = _cut_out(reference, x, y + drop, (cut, bottom), _soft_step(y[:, None] + drop - cut))
    return upper, lower


def _cut_out(
    reference: Reference,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    rows: tuple[NDArray[np.float64], NDArray[np.float64]],
    visible: NDArray[np.float64],
) -> NDArray[np.float32]:
    """RGBA at columns x and rows y; rows outside the column's valid `rows` repeat the nearest valid one."""
    first, last = rows
    valid = ((last - first) > 0.012).astype(np.float32)[None]
    columns = cv2.GaussianBlur(cv2.erode(valid, np.ones((1, 5), np.uint8)), (0, 0), 3)
    clamped = np.clip(y[:, None], first, np.maximum(first, last))
    colour = reference.sample(np.broadcast_to(x, clamped.shape), clamped)
    return np.dstack([colour, visible * columns]).astype(np.float32)


def _dark_split(reference: Reference) -> float:
    """Where the dark gap between the rows of teeth lies, as a share of the opening; 1: there is none."""
    upper_lip, lower_lip = reference.lips[_UPPER_LIP], reference.lips[_LOWER_LIP]
    shares = np.linspace(0.08, 0.92, 40)
    x = np.linspace(-0.35, 0.35, 21) * reference.half_width
    top = np.interp(x, upper_lip[:, 0], upper_lip[:, 1])
    bottom = np.interp(x, lower_lip[:, 0], lower_lip[:, 1])
    y = top + (bottom - top) * shares[:, None]
    profile = (reference.sample(np.broadcast_to(x, y.shape), y) @ _LUMINANCE).mean(axis=1)
    profile = np.convolve(np.pad(profile, 2, "edge"), np.ones(5) / 5, "valid")
    between = np.flatnonzero((shares > 0.25) & (shares < 0.85))
    darkest = between[np.argmin(profile[between])]
    wide_open = float((lower_lip[:, 1] - upper_lip[:, 1]).max()) > 0.16
    if wide_open or profile[darkest] < 0.72 * profile[shares < 0.5].max():
        return float(shares[darkest])
    return 1.0


def _colours(reference: Reference) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Teeth, gum and tones that fit the light on the person's cheeks."""
    x, y = np.meshgrid(np.linspace(-0.06, 0.06, 9), np.linspace(-0.20, -0.06, 9))
    cheeks = np.concatenate([reference.sample(x + side, y).reshape(-1, 3) for side in (-0.38, 0.38)])
    # The brighter half: folds and shadows say nothing about the light that falls into an open mouth.
    lit = cheeks[np.argsort(cheeks @ _LUMINANCE)[len(cheeks) // 2 :]]
    skin = np.median(lit, axis=0)
    luminance = float(skin @ _LUMINANCE)
    tint = skin / max(luminance, 1e-3)
    light = 0.45 + 0.55 * tint / _SKIN_TINT
    teeth = min(0.97, 1.22 * luminance + 0.08) * light * _ENAMEL
    gum = 0.62 * luminance * np.array([1.25, 0.78, 0.76]) * (0.5 + 0.5 * tint)
    cavity = luminance * np.array([0.25, 0.105, 0.10])
    tongue = luminance * np.array([0.98, 0.54, 0.52])
    tones = np.clip(np.stack([cavity, tongue, np.array([1.0, 0.0, 0.0])]), 0, 1).astype(np.float32)
    return np.clip(teeth, 0, 1).astype(np.float32), np.clip(gum, 0, 1).astype(np.float32), tones


def _saturation(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    brightest = colours.max(axis=-1)
    return (brightest - colours.min(axis=-1)) / (brightest + 1e-3)  # type: ignore[no-any-return]


def _soft_step(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 to 1 around 0 over 0.006 face units."""
    return 1 / (1 + np.exp(-np.clip(distance / 0.006, -30, 30)))


def _to_bytes(atlas: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(atlas * 255).astype(np.uint8)
