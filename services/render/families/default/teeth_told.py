"""What teeth that are too small to be copied still tell: their colour, and which row it is that shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from services.render.families.default.interior_colours import light_tint, lit_skin
from services.render.families.default.interior_reference import (
    HEIGHTS,
    Colour,
    Reference,
    between_lips,
    luminance,
    saturation,
)
from services.render.families.default.teeth_seen import is_open, shows_teeth

_PALE: Final = 0.8
"""Of the saturation of the lips: what has less is no flesh"""
_LEAST_PALE: Final = 0.12
"""Share of what is seen between the lips that tells the colour of teeth"""
_ENAMEL_BY_LIPS: Final = 1.12
"""Luminance of teeth by that of the lips; what is not brighter may be a blur of lips and teeth"""
_SMILE: Final = 0.65
"""Of the brightest row, how bright those under the upper lip are: on others the upper teeth are hardly seen"""
_TELLING: Final = 0.07
"""Face units between the lips of a mouth that tells which row it shows"""
_UPPER_ROW, _LOWER_ROW = 0.62, 0.70
"""Where teeth lie on the way from the upper lip to the lower one: a smile's upper row fills all of it"""


def is_smile(reference: Reference) -> bool:
    """True when teeth fill the open mouth from the upper lip on, so that even a few pixels of them look like teeth."""
    if not shows_teeth(reference) or _enamel(reference) is None:
        return False
    bright = luminance(between_lips(reference, slice(3, 8), 0.1)).reshape(HEIGHTS, -1).mean(axis=1)
    return bool(bright[1:5].mean() > _SMILE * bright.max())


def enamel_seen(references: Sequence[Reference]) -> Colour | None:
    """(3,) of the brightest teeth that any open mouth shows, however small the face is; None: none can be told."""
    found = [colour for colour in map(_enamel, references) if colour is not None]
    return max(found, key=lambda colour: float(luminance(colour))) if found else None


def _enamel(reference: Reference) -> Colour | None:
    if not is_open(reference):
        return None
    colours = between_lips(reference, slice(2, 9), 0.12)
    tint, lips = light_tint(lit_skin(reference)), reference.lip_colour()
    pale = colours[saturation(colours / tint) < _PALE * saturation(lips / tint)]
    if len(pale) < _LEAST_PALE * len(colours):
        return None
    bright = pale[luminance(pale) >= np.quantile(luminance(pale), 0.8)]
    # Where lips show through the blur there is more colour.
    clear = saturation(bright)
    teeth = np.asarray(bright[clear <= np.median(clear)].mean(axis=0), np.float32)
    return teeth if float(luminance(teeth)) > _ENAMEL_BY_LIPS * float(luminance(lips)) else None


def lower_share(references: Sequence[Reference]) -> float:
    """0: the upper row shows, or none can be told, .. 1: only the lower one."""
    places = [place for place in map(_place_of_teeth, references) if place is not None]
    return float(np.clip((max(places, default=0.0) - _UPPER_ROW) / (_LOWER_ROW - _UPPER_ROW), 0, 1))


def _place_of_teeth(reference: Reference) -> float | None:
    """Mean place of what is as pale and bright as teeth, 0: at the upper lip .. 1: at the lower; None: nothing is."""
    if reference.opening < _TELLING or not is_open(reference):
        return None
    colours = between_lips(reference, slice(3, 8), 0.1)
    tint, lips = light_tint(lit_skin(reference)), reference.lip_colour()
    pale = saturation(colours / tint) < _PALE * saturation(lips / tint)
    found = (pale & (luminance(colours) > luminance(lips))).reshape(HEIGHTS, -1).mean(axis=1)
    if found.mean() < _LEAST_PALE:
        return None
    return float(np.average(np.linspace(0.1, 0.9, len(found)), weights=found))
