"""What is seen between the lips: the person's own teeth where references show them, drawn ones elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.render.edits.grain import Grain, smooth_place
from services.render.families.default.interior_colours import InteriorColours, edge_blur, interior_colours
from services.render.families.default.interior_reference import Colour, Reference, luminance
from services.render.families.default.teeth import draw_teeth
from services.render.families.default.teeth_seen import SHADE, cut_teeth, is_open, join_teeth, shows_teeth
from services.render.families.default.teeth_told import enamel_seen, is_smile, lower_share

_SMOOTH: Final = ((-0.34, -0.10), (0.34, -0.10), (0.0, 0.38))
"""Face units: skin of the cheeks and of the chin"""
_CLOSE_UP: Final = 250
"""Eye distance in pixels from which on atlases are twice as fine"""
_LEAST_EYE_DISTANCE: Final = 45, 70
"""Pixels; a face smaller than the first shows no teeth worth copying, one smaller than the second only in a smile"""
_WIDEST_OPENING: Final = 0.15
"""Mouths that are open wider show no more teeth"""
_DRAWN_SHADE: Final = (0.90, 0.70)
_DRAWN_BRIGHTNESS: Final = (1.2, 1.05)
"""In hard light, of which wet teeth show more than skin does, and in flat light"""
_ENAMEL_BRIGHTNESS: Final = 1.2
"""The brightest that is seen of small teeth lies in the shadow of the lips, too"""
_ENAMEL_HUE: Final = 0.5
"""Share of the hue of such teeth that is their own; in the rest the lips round them are mixed"""
_LEAST_LIKENESS: Final = 0.6
"""Correlation of two frames' teeth from which on they are the same teeth, equally sharp"""


@dataclass(frozen=True, slots=True)
class MouthInterior:
    """What the renderer shows between the lips of one person."""

    openings: tuple[float, ...]
    """Face units, ascending: those at which the footage shows teeth"""
    upper_teeth: NDArray[np.uint8] = field(repr=False)
    """(openings, rows, 2 rows, 4) RGBA, fixed to the skull; all have one alpha, only colours fade into each other"""
    lower_teeth: NDArray[np.uint8] = field(repr=False)
    """(rows, 2 rows, 4) RGBA, moves with the jaw"""
    tones: NDArray[np.float32]
    """(3, 3): RGB of the cavity, RGB of the tongue, the lips' shadow on the teeth, their brightness, its redness"""
    grain: Grain
    """Where the person's skin is smooth"""

    def shares(self, openings: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, openings) shares of the upper teeth in those of lips (n,) face units apart; smooth between neighbours."""
        places = np.interp(openings, self.openings, np.arange(len(self.openings)))
        before = np.floor(places).astype(int)
        way = places - before
        share = way * way * (3 - 2 * way)
        shares = np.zeros((len(openings), len(self.openings) + 1), np.float32)
        rows = np.arange(len(openings))
        shares[rows, before], shares[rows, before + 1] = 1 - share, share
        return shares[:, :-1]


def mouth_interior(references: Sequence[Reference], eye_distance: float) -> MouthInterior:
    """The interior of a person's mouth, from the references that preprocess chose; `eye_distance` is in pixels."""
    closed, rows = references[0], atlas_rows(eye_distance)
    colours = interior_colours(closed)
    least, enough = _LEAST_EYE_DISTANCE
    clear = shows_teeth if eye_distance >= enough else is_smile
    seen = [one for one in references if eye_distance >= least and clear(one)]
    widest = max(seen, key=lambda one: min(one.opening, _WIDEST_OPENING), default=None)
    own = cut_teeth(widest, rows) if widest else None
    if own:
        enamel, shade, brightness = own.colour, SHADE, own.brightness
    else:
        enamel, brightness = _enamel(enamel_seen(references), colours)
        shade = _between(_DRAWN_SHADE, colours.flatness)
    low = lower_share(references)
    upper, lower = draw_teeth(closed.half_width, enamel, colours.gum, closed.smile, rows, edge_blur(closed), low)
    tones = np.array([colours.cavity, colours.tongue, (shade, brightness, colours.redness)], np.float32)
    bins = [(0.0, upper)]
    if widest and own:
        lower = own.lower if own.lower is not None else lower
        bins = _bins(own.upper, widest, references)
    return MouthInterior(
        tuple(opening for opening, _ in bins),
        np.stack([_to_bytes(teeth) for _, teeth in bins]),
        _to_bytes(lower),
        tones,
        smooth_place(luminance(closed.image), closed.to_picture, _SMOOTH),
    )


def atlas_rows(eye_distance: float) -> int:
    """Rows of an atlas for a face of this size in pixels; it has twice as many columns."""
    return 256 if eye_distance > _CLOSE_UP else 128


def asked_openings(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) face units between the lips that the renderer gives to mouth coefficients (n, 8)."""
    jaw, close, lower, fv = coefficients[:, [0, 1, 5, 6]].T
    return np.asarray((0.215 * jaw + 0.03 * lower) * (1 - close) * (1 - 0.80 * fv), np.float32)


def _enamel(seen: Colour | None, colours: InteriorColours) -> tuple[Colour, float]:
    """Colour (3,) and brightness of drawn teeth; as bright as any that were `seen`, in a hue half way to theirs."""
    if seen is None:
        return colours.teeth, _between(_DRAWN_BRIGHTNESS, colours.flatness)
    alike = colours.teeth * (luminance(seen) / luminance(colours.teeth))
    return np.asarray(_ENAMEL_HUE * seen + (1 - _ENAMEL_HUE) * alike, np.float32), _ENAMEL_BRIGHTNESS


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share


def _bins(
    upper: NDArray[np.float32], widest: Reference, references: Sequence[Reference]
) -> list[tuple[float, NDArray[np.float32]]]:
    """The upper teeth at every opening that shows the same teeth, ascending."""
    less = [one for one in references if is_open(one) and one.opening < widest.opening - 0.01]
    joined = ((one.opening, join_teeth(upper, one, _LEAST_LIKENESS)) for one in less)
    return [(opening, teeth) for opening, teeth in joined if teeth is not None] + [(widest.opening, upper)]


def _to_bytes(atlas: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(atlas * 255).astype(np.uint8)
