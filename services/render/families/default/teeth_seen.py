"""The person's own teeth, cut from frames that show them, as they would look in full light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.render.families.default.interior_colours import light_tint, lit_skin, redness
from services.render.families.default.interior_reference import Colour, Reference, between_lips, luminance, saturation
from services.render.families.default.teeth import ATLAS_REACH, ATLAS_SPREAD

TEETH_DROP: Final = (0.45, 1.9)
"""Share of the lower lip's drop by which the lower teeth follow it, and its growth by face unit; the renderer moves the
lower atlas by it"""
_LEAST_OPENING: Final = 0.04
_LEAST_PIXELS: Final = 3.5
"""Rows of teeth in a crop that are worth copying"""
_LIP_EDGE: Final = 0.010
"""Face units inside the lips' contours that still show lip"""
_LEAST_LOWER: Final = 0.02
"""Face units of lower teeth that are worth copying"""
_LOWER_SATURATION: Final = 0.45
"""More colour than that has the tongue"""
_TEETH_DEPTH: Final = 0.026
UPPER_EDGE: Final = 0.024
"""Face units from the seam down to the edge of the upper teeth, in whose shadow the lower ones lie"""
_FROM_ABOVE: Final = 0.68
"""The light between the lips, as the renderer has it"""
SHADE: Final = 0.75
"""Share of the lips' shadow that lies on seen teeth, is taken off them, and comes back elsewhere"""
_LEAST_LIGHT: Final = 0.6
"""Deeper shadow is not lit up: nothing but noise is in it"""
_SHADOW_HUE: Final = np.array([0.40, -0.62, -0.70])


def is_open(reference: Reference) -> bool:
    """True when enough shows between the lips to be worth copying."""
    rows = (reference.opening - 2 * _LIP_EDGE) * reference.scale
    return reference.opening >= _LEAST_OPENING and rows >= _LEAST_PIXELS


def shows_teeth(reference: Reference) -> bool:
    """True when the open mouth of `reference` shows teeth, and its landmarks lie on its lips."""
    if not is_open(reference):
        return False
    skin = lit_skin(reference)
    tint = light_tint(skin)
    lips = reference.lip_colour()
    colours = between_lips(reference, slice(3, 8), 0.15)
    less_coloured = saturation(colours / tint) < 0.72 * saturation(lips / tint)
    bright = luminance(colours)
    # In black-and-white footage brightness alone must tell.
    far_brighter = (bright > 1.35 * luminance(lips)) & (bright > 1.1 * luminance(skin))
    teeth = (less_coloured & (bright > 0.7 * luminance(lips))) | far_brighter
    lip_like = ~teeth & (np.abs(colours - lips).max(axis=-1) < 0.10)
    return bool(teeth.mean() > 0.12 and lip_like.mean() < 0.25)


def teeth_drop(lip_drop: float) -> float:
    """Face units by which the lower teeth sink when the lower lip sinks by so much."""
    first, growth = TEETH_DROP
    return lip_drop * (first + growth * lip_drop)


@dataclass(frozen=True, slots=True)
class SeenTeeth:
    """Atlases (rows, 2 rows, 4) RGBA 0..1 of one frame's teeth in full light."""

    upper: NDArray[np.float32] = field(repr=False)
    lower: NDArray[np.float32] | None = field(repr=False)
    """None: no lower teeth can be told"""
    colour: Colour
    """(3,) of the upper teeth where the light falls on them"""
    brightness: float
    """Full light by the light that fell on these teeth: the renderer multiplies by it"""


def cut_teeth(reference: Reference, rows: int) -> SeenTeeth:
    """Cut the open mouth of a reference that shows teeth."""
    x, y = _atlas_grid(reference, rows)
    top, bottom = reference.upper_line(x) + _LIP_EDGE, reference.lower_line(x) - _LIP_EDGE
    split = _dark_split(reference, x)
    cut = edge = _tooth_edge(reference, x) if split is None else split
    light = _light(reference, x, y)
    most = float(light.max())
    upper = _cut_out(reference, x, y, (top, cut), _soft_step(edge - y), most)
    inside = (y > top) & (y < np.maximum(cut, top + _LIP_EDGE)) & (np.abs(x) < 0.5 * reference.half_width)
    lit = reference.sample(*np.broadcast_arrays(x, y))[inside & (light >= 0.9 * light[inside].max())]
    colour = np.asarray(np.median(lit[np.argsort(luminance(lit))[len(lit) // 2 :]], axis=0), np.float32)
    lower = None
    if split is not None and _below_shows_teeth(reference, cut, bottom, x):
        y = y + teeth_drop(max(0.0, float(reference.points[14, 1])))
        lower = _cut_out(reference, x, y, (cut, bottom), _soft_step(y - cut), most, UPPER_EDGE)
    return SeenTeeth(upper, lower, colour, 1 / most)


def join_teeth(widest: NDArray[np.float32], reference: Reference, least_likeness: float) -> NDArray[np.float32] | None:
    """The upper atlas of a mouth that is less open, completed from the `widest` one; None: they are not alike."""
    rows = widest.shape[0]
    x, y = _atlas_grid(reference, rows)
    top, bottom = reference.upper_line(x) + _LIP_EDGE, reference.lower_line(x) - _LIP_EDGE
    split = _dark_split(reference, x)
    cut = bottom if split is None else split
    own = _soft_step(y - top) * _soft_step(cut - y) * (cut - top > _LIP_EDGE)
    colour = _in_full_light(reference, x, y, 1.0)
    shift = _likeness(widest, colour, own, least_likeness)
    if shift is None:
        return None
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    size = (2 * rows, rows)
    colour = np.asarray(cv2.warpAffine(colour, move, size, borderMode=cv2.BORDER_REPLICATE), np.float32)
    shown = np.asarray(cv2.warpAffine(own.astype(np.float32), move, size), np.float32)[..., None]
    weight = shown * widest[..., 3:]
    mean, wanted = ((part * weight).sum(axis=(0, 1)) / weight.sum() for part in (colour, widest[..., :3]))
    joined = widest[..., :3] + (np.clip(colour * (wanted / np.maximum(mean, 1e-3)), 0, 1) - widest[..., :3]) * shown
    return np.dstack([joined, widest[..., 3]]).astype(np.float32)


def _likeness(
    widest: NDArray[np.float32], colour: Colour, own: NDArray[np.float64], least: float
) -> tuple[float, float] | None:
    """How far (columns, rows) `colour` must move to lie on the widest one's teeth; None: it shows something else."""
    seen = np.argwhere((own > 0.5) & (widest[..., 3] > 0.5))
    reach = max(2, widest.shape[0] // 32)
    if len(seen) < 8 * widest.shape[0]:
        return None
    (top, left), (bottom, right) = seen.min(axis=0), seen.max(axis=0) + 1
    inner = luminance(colour[top + reach : bottom - reach, left + reach : right - reach])
    if inner.shape[0] < 3 or inner.shape[1] < widest.shape[0] // 4:
        return None
    alike = cv2.matchTemplate(luminance(widest[top:bottom, left:right, :3]), inner, cv2.TM_CCOEFF_NORMED)
    _, best, _, place = cv2.minMaxLoc(alike)
    return (place[0] - reach, place[1] - reach) if best >= least else None


def _below_shows_teeth(
    reference: Reference, cut: NDArray[np.float64], bottom: NDArray[np.float64], x: NDArray[np.float64]
) -> bool:
    """True when there are teeth below the dark gap, and not only the tongue."""
    middle = np.abs(x) < 0.4 * reference.half_width
    first, last = cut[middle], bottom[middle]
    if float(np.median(last - first)) < _LEAST_LOWER:
        return False
    y = first + (last - first) * np.linspace(0.1, 0.9, 12)[:, None]
    colours = reference.sample(np.broadcast_to(x[middle], y.shape), y)
    above = reference.sample(x[None, middle], (first - _LIP_EDGE)[None])
    bright = luminance(colours) > 2 * max(float(np.median(luminance(above))), 0.1)
    pale = saturation(colours / light_tint(lit_skin(reference))) < _LOWER_SATURATION
    return bool((bright & pale).mean() > 0.25)


def _atlas_grid(reference: Reference, rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x (2 rows,) and y (rows, 1) of an atlas's pixels."""
    x = ((np.arange(2 * rows) + 0.5) / rows - 1) * ATLAS_SPREAD * reference.half_width
    return x, (((np.arange(rows) + 0.5) / rows * 2 - 1) * ATLAS_REACH)[:, None]


def _cut_out(
    reference: Reference,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    rows: tuple[NDArray[np.float64], NDArray[np.float64]],
    visible: NDArray[np.float64],
    most: float,
    edge: float = -np.inf,
) -> NDArray[np.float32]:
    """RGBA at columns x and rows y; rows outside the column's valid `rows` repeat the nearest valid one."""
    first, last = rows
    valid = ((last - first) > 0.012).astype(np.float32)[None]
    columns = cv2.GaussianBlur(cv2.erode(valid, np.ones((1, 5), np.uint8)), (0, 0), 3)
    clamped = np.clip(y, first, np.maximum(first, last))
    return np.dstack([_in_full_light(reference, x, clamped, most, edge), visible * columns]).astype(np.float32)


def _in_full_light(
    reference: Reference, x: NDArray[np.float64], y: NDArray[np.float64], most: float, edge: float = -np.inf
) -> Colour:
    """Colours at columns x and rows y without the lips' shadow; as bright as they are where the light is `most`."""
    y = np.broadcast_to(y, (y.shape[0], x.shape[0]))
    light = np.maximum(_light(reference, x, y, edge), _LEAST_LIGHT)[..., None]
    warm = light * (1 + _SHADOW_HUE * redness(reference) * (1 - light) ** 2) / most
    colour = reference.sample(np.broadcast_to(x, y.shape), y) / warm
    # What is too bright for an atlas keeps its hue.
    return np.asarray(colour / np.maximum(colour.max(axis=-1, keepdims=True), 1), np.float32)


def _light(
    reference: Reference, x: NDArray[np.float64], y: NDArray[np.float64], edge: float = -np.inf
) -> NDArray[np.float64]:
    """Share of the light that fell on the teeth at x and y, as the renderer has it; no higher than `edge` comes any."""
    bottom = reference.lower_line(x)
    top = np.minimum(np.maximum(reference.upper_line(x), edge), bottom)
    from_upper, from_lower = np.maximum(y - top, 0), np.maximum(bottom - y, 0)
    above, below = (way / np.hypot(way, _TEETH_DEPTH) for way in (from_upper, from_lower))
    return np.asarray(1 - SHADE * (1 - _FROM_ABOVE * above - (1 - _FROM_ABOVE) * below))


def _dark_split(reference: Reference, x: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """y of the dark gap between the rows of teeth at x; None: there is none."""
    shares = np.linspace(0.08, 0.92, 40)[:, None]
    inner = np.abs(x) < 0.7 * reference.half_width
    top, bottom = reference.upper_line(x), reference.lower_line(x)
    y = top + (bottom - top) * shares
    dark = cv2.GaussianBlur(luminance(reference.sample(np.broadcast_to(x, y.shape), y)), (0, 0), sigmaX=6, sigmaY=1.5)
    profile = dark[:, np.abs(x) < 0.35 * reference.half_width].mean(axis=1)
    between = np.flatnonzero((shares[:, 0] > 0.25) & (shares[:, 0] < 0.85))
    darkest = int(between[np.argmin(profile[between])])
    if profile[darkest] >= 0.72 * profile[shares[:, 0] < 0.5].max():
        return None
    # The gap follows the arches: look for it near the middle's in every column.
    first, last = max(darkest - 8, 0), min(darkest + 9, len(shares))
    found = np.where(inner, shares[first + np.argmin(dark[first:last], axis=0), 0], shares[darkest, 0])
    smooth = cv2.GaussianBlur(found[None].astype(np.float32), (0, 0), sigmaX=len(x) / 40)[0]
    return np.asarray(top + (bottom - top) * smooth)


def _tooth_edge(reference: Reference, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """y at x where upper teeth end that nothing dark parts from the lower lip: at the lip, or a little above it."""
    shares = np.linspace(0.3, 1.0, 48)[:, None]
    top, bottom = reference.upper_line(x), reference.lower_line(x) - _LIP_EDGE / 2
    y = top + (bottom - top) * shares
    colours = reference.sample(np.broadcast_to(x, y.shape), y)
    tint = light_tint(lit_skin(reference))
    bright = luminance(colours)
    level = np.median(bright[shares[:, 0] < 0.7], axis=0)
    pale = saturation(colours / tint) < 0.85 * saturation(reference.lip_colour() / tint)
    tooth = (bright > 0.62 * level) & (pale | (bright > 0.9 * level))
    lowest = shares[len(shares) - 1 - np.argmax(tooth[::-1], axis=0), 0]
    smooth = cv2.GaussianBlur(np.where(tooth.any(axis=0), lowest, 1)[None].astype(np.float32), (0, 0), len(x) / 150)[0]
    return np.asarray(top + (bottom - top) * smooth)


def _soft_step(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 to 1 around 0 over 0.006 face units."""
    return np.asarray(1 / (1 + np.exp(-np.clip(distance / 0.006, -30, 30))))
