"""The colours that a mouth's inside must have on this face and in this light, and how sharp the footage is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.render.families.default.interior_reference import Colour, Reference, luminance, saturation

_EYES: Final = (
    ([33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7], [468, 469, 470, 471, 472]),
    ([362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382], [473, 474, 475, 476, 477]),
)
"""Outline of each eye, and its iris: the centre first"""
_LEAST_WHITE = 24
"""Pixels of eye white that say something"""
_WHITE_SATURATION = 0.30
"""The white of an eye that looks more coloured than this is a lid, or lies in its shadow"""
_SKIN_TINT: Final = np.array([1.22, 0.94, 0.80])
"""Colour of skin in white light by its luminance: what differs from it is the colour of the light"""
_WHITE_TINT: Final = np.array([1.04, 0.99, 0.97])
"""The same of the white of an eye"""
_FULL_COLOUR: Final = 0.20
"""Saturation of skin in footage that is not black and white"""
_HALF: Final = 0.5
"""Share of the tint of the skin that is the light's for sure; the rest may be the skin's own"""
_REDNESS, _CANDLELIGHT = 0.15, 0.15
"""By how much less blue than green the tint of red skin may have, and how much more says that the light is yellow: then
all of the tint is the light's"""
_ENAMEL: Final = np.array([1.03, 0.985, 0.92])
_NOSTRILS: Final = (98, 97, 2, 326, 327)
"""Under the nose, from the image's left to its right"""
_NOSTRILS_HEIGHT: Final = 0.10
"""Face units above them"""
_BLACK: Final = (0.05, 0.33)
"""Luminance of the darkest of a face by that of its lit skin: in hard, sharp footage, and in flat, blurred one"""
_AGAIN: Final = 1 / 180
"""Face units of the blur that is laid over the footage to measure its own"""
_GUM: Final = np.array([0.84, 0.50, 0.48])
_CAVITY: Final = np.array([0.80, 0.36, 0.32])
_TONGUE: Final = np.array([1.16, 0.66, 0.62])
"""Warmer than in the open: what light reaches them comes past the lips"""


@dataclass(frozen=True, slots=True)
class InteriorColours:
    """RGB 0..1 of what a mouth's inside is made of, in the full light that falls on the face."""

    teeth: Colour
    gum: Colour
    cavity: Colour
    tongue: Colour
    redness: float
    flatness: float


def interior_colours(reference: Reference) -> InteriorColours:
    """From the skin of the cheeks, and from the whites of the eyes where they show."""
    skin = lit_skin(reference)
    brightness = float(luminance(skin))
    tint = light_tint(skin)
    # Skin may be dark itself: the darker it looks, the more teeth stand out from it.
    white = brightness * (1 + 0.5 * (1 - brightness)) + 0.02
    eyes = eye_white(reference)
    if eyes is not None:
        shown = float(luminance(eyes))
        white = max((white + 1.2 * shown) / 2, shown)
        tint = 0.4 * tint + 0.6 * eyes / max(shown, 1e-3) / _WHITE_TINT
    red, flat = redness(reference), flatness(reference)
    flesh = (0.6 * brightness + 0.2 * white) * (0.3 + 0.7 * tint)
    own = _HALF + (1 - _HALF) * float(np.clip((1 - tint[2] / tint[1] - _REDNESS) / _CANDLELIGHT, 0, 1))
    enamel = min(1.0, white) * (1 + own * (tint - 1)) * _ENAMEL
    lips = reference.lip_colour() / max(float(luminance(reference.lip_colour())), 1e-3)
    hollow = _like_lips(flesh * _CAVITY * (0.4 + flat), lips)
    mound = _like_lips(flesh * _TONGUE * (0.7 + 0.6 * flat), lips)
    teeth, gum, cavity, tongue = (_drained(part, red) for part in (enamel, flesh * _GUM, hollow, mound))
    return InteriorColours(teeth, gum, cavity, tongue, red, flat)


def flatness(reference: Reference) -> float:
    """0 where nostrils and irises are all but black, 1 where light, blur or coding leave nothing so dark.

    What shows as black in a face's other hollows would do so in its mouth.
    """
    under = reference.points[list(_NOSTRILS)]
    x, y = np.meshgrid(
        np.linspace(under[0, 0], under[-1, 0], 40),
        np.linspace(under[:, 1].min() - _NOSTRILS_HEIGHT, under[:, 1].max(), 30),
    )
    pupils = reference.points[[iris[0] for _, iris in _EYES]]
    shown = luminance(reference.sample(pupils[None, :, 0], pupils[None, :, 1]))
    darkest = min(float(np.quantile(luminance(reference.sample(x, y)), 0.02)), float(shown.mean()))
    low, high = _BLACK
    return float(np.clip((darkest / max(float(luminance(lit_skin(reference))), 1e-3) - low) / (high - low), 0, 1))


def _like_lips(flesh: NDArray[np.float64], lips: NDArray[np.float32]) -> NDArray[np.float64]:
    """As bright as it is, half in the hue of the person's `lips`, whose luminance is 1."""
    return np.asarray((flesh + float(luminance(flesh)) * lips) / 2)


def redness(reference: Reference) -> float:
    """Of what lies in the shadow of flesh: 0 in black-and-white footage, 1 in full colour."""
    return float(np.clip(max(saturation(lit_skin(reference)), saturation(reference.lip_colour())) / _FULL_COLOUR, 0, 1))


def _drained(colour: NDArray[np.float64], share: float) -> Colour:
    """The colour with that share of its saturation."""
    grey = luminance(colour)
    return np.clip(grey + (colour - grey) * share, 0, 1).astype(np.float32)


def lit_skin(reference: Reference) -> Colour:
    """(3,) the brighter half of both cheeks: folds and shadows say nothing about the light on an open mouth."""
    x, y = np.meshgrid(np.linspace(-0.06, 0.06, 9), np.linspace(-0.20, -0.06, 9))
    cheeks = np.concatenate([reference.sample(x + side, y).reshape(-1, 3) for side in (-0.38, 0.38)])
    lit = cheeks[np.argsort(luminance(cheeks))[len(cheeks) // 2 :]]
    return np.asarray(np.median(lit, axis=0), np.float32)


def light_tint(skin: Colour) -> NDArray[np.float64]:
    """(3,) colour of the light, about 1, that lets skin look like this."""
    tint = skin / max(float(luminance(skin)), 1e-3) / _SKIN_TINT
    # Burnt-out skin has lost its colour.
    known = float(np.clip((1 - skin.max()) / 0.05, 0, 1))
    return np.asarray(np.maximum(1 + (tint - 1) * known, 0.2), np.float64)


def eye_white(reference: Reference) -> Colour | None:
    """(3,) the brighter half of both eyes' whites; None where the crop does not show them well enough."""
    side = reference.image.shape[0]
    found = []
    for outline, iris in _EYES:
        shape = (reference.points[outline] - reference.corner) * reference.scale
        if shape.min() < 1 or shape.max() > side - 1:
            continue
        pupil = (reference.points[iris] - reference.corner) * reference.scale
        radius = float(np.linalg.norm(pupil[1:] - pupil[0], axis=1).mean())
        mask = np.zeros((side, side), np.uint8)
        cv2.fillPoly(mask, [np.rint(shape).astype(np.int32)], 1)
        inner = np.asarray(
            cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, round(0.012 * reference.scale)))
        )
        cv2.circle(inner, np.rint(pupil[0]).astype(int).tolist(), round(1.15 * radius) + 1, 0, -1)
        seen = reference.image[inner > 0]
        if len(seen) >= _LEAST_WHITE:
            white = np.median(seen[np.argsort(luminance(seen))[len(seen) // 2 :]], axis=0)
            found += [white] if saturation(white) < _WHITE_SATURATION else []
    return max(found, key=lambda white: float(luminance(white))) if found else None


def edge_blur(reference: Reference) -> float:
    """Standard deviation of the footage's blur in face units, from its sharpest edges: blurred again, they tell it."""
    grey = luminance(reference.image)
    again = max(1.0, _AGAIN * reference.scale)
    steep, softer = _gradient(grey), _gradient(np.asarray(cv2.GaussianBlur(grey, (0, 0), again), np.float32))
    strong = steep > max(float(np.quantile(steep, 0.985)), 0.01)
    if not strong.any():
        return 0.5 / reference.scale
    # Of a blurred step, a second blur of deviation `again` leaves 1 / sqrt(1 + (again / blur)^2) of the gradient.
    ratio = np.maximum(steep[strong] / np.maximum(softer[strong], 1e-4), 1.02)
    blurs = again / np.sqrt(ratio**2 - 1)
    return float(np.clip(np.quantile(blurs, 0.25), 0.5, 6 * again)) / reference.scale


def _gradient(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3, scale=0.125) for order in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(across, down), np.float32)
