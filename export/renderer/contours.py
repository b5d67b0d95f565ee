"""Lip contours: which landmarks they are, and where the mouth coefficients put them. All lengths in face units."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from export.renderer.curves import polyline, rounded, smoothstep
from export.renderer.points import CHIN, LOWER_INNER, LOWER_OUTER, SUBNASALE, UPPER_INNER, UPPER_OUTER

_SHUT_HALF_WIDTH: Final = 0.315
"""A mouth whose lips touch is hardly ever wider: what a parted one has beyond it is smile"""
_SMILE_WIDTH: Final = 0.04
"""Smile on each side from which on the corners sink by their full share"""
_KEPT_SMILE: Final = 0.55
"""Share of it that a shut mouth keeps: folds and raised cheeks stay in the face, and a mouth without it looks pursed"""
_TEETH_GAP: Final = 0.09
"""As far as a smile parts the lips; what is more, in a laugh, the jaw does"""
_SMILE_LIP, _LAUGH_LIP = 0.36, 0.15
"""Shares of both by which the upper lip sinks as they shut; the lower one rises by the rest"""
_JAW_SHARE: Final = 0.86
"""Share of the opening by which the lower lip sinks"""
_STRETCH: Final = (0.11, -0.18, -0.14)
"""Of its half width, how much wider a mouth gets that spreads, rounds, and opens. Of four of five talkers of the GRID
corpus a jaw that sinks draws the corners in by .05 to .1 eye distances together"""
_SMILE_OPENING: Final = 0.09
"""Opening at which a smile has its width back"""


class Contours(NamedTuple):
    """Four lip lines of 11 points (b, 11, 2), and the chin's height (b, 1)."""

    upper_outer: Tensor
    upper_inner: Tensor
    lower_inner: Tensor
    lower_outer: Tensor
    chin: Tensor

    @property
    def left(self) -> Tensor:
        """x of the left corner (b, 1)"""
        return self.upper_outer[:, :1, 0]

    @property
    def right(self) -> Tensor:
        """x of the right corner (b, 1)"""
        return self.upper_outer[:, 10:, 0]

    @property
    def middle(self) -> Tensor:
        """x of the lips' middle (b, 1)"""
        return 0.5 * (self.upper_outer[:, 5:6, 0] + self.lower_outer[:, 5:6, 0])


class Coefficients(NamedTuple):
    """The eight mouth coefficients, (b, 1) each, 0..1."""

    jaw: Tensor
    close: Tensor
    wide: Tensor
    round: Tensor
    upper: Tensor
    lower: Tensor
    fv: Tensor
    tongue: Tensor


class Rest(NamedTuple):
    """What the resting face fixes, (b, 1) each."""

    nose: Tensor
    """y under the nose"""
    seam: Tensor
    """y where the lips meet, at the centre"""
    centre: Tensor
    """x between the corners"""
    half_width: Tensor
    """of the mouth"""
    parted: Tensor
    """see parted_share"""


class Pose(NamedTuple):
    """A mouth posed by coefficients."""

    contours: Contours
    opening: Tensor
    """(b, 1) between the inner lips at the centre"""
    jaw_drop: Tensor
    """(b, 1) of the lower lip and teeth"""


def contours_of(points: Tensor) -> Contours:
    """The contours among all landmarks (b, 478, 2)."""
    return Contours(
        points[:, list(UPPER_OUTER)],
        points[:, list(UPPER_INNER)],
        points[:, list(LOWER_INNER)],
        points[:, list(LOWER_OUTER)],
        points[:, CHIN, 1:2],
    )


def rest_of(points: Tensor) -> Rest:
    """Where the parts of the resting face (b, 478, 2) are."""
    contours = contours_of(points)
    return Rest(
        nose=points[:, SUBNASALE, 1:2] + 0.01,
        seam=0.5 * (contours.upper_inner[:, 5:6, 1] + contours.lower_inner[:, 5:6, 1]),
        centre=0.5 * (contours.left + contours.right),
        half_width=0.5 * (contours.right - contours.left),
        parted=parted_share(contours),
    )


def parted_share(contours: Contours) -> Tensor:
    """How far the lips are apart (b, 1), 0: they touch, within the landmarks' error .. 1: teeth show between them."""
    return smoothstep((opening_of(contours) - 0.01) / 0.05)


def opening_of(contours: Contours) -> Tensor:
    """Between the inner lips at the centre (b, 1)."""
    return _gap(contours)[:, 5:6]


def inside_open_lips(source: Contours) -> Contours:
    """Inner lines moved into the lips where the source mouth is open: no fringe of teeth sticks to the lip edges.

    An open mouth is dark in its corners, a little beyond where the lines meet: there they part as well.
    """
    gap = _gap(source)
    gap = torch.maximum(gap, 0.4 * gap[:, 5:6])
    return source._replace(
        upper_inner=_lower_by(source.upper_inner, -(0.28 * gap).clamp(max=0.017)),
        lower_inner=_lower_by(source.lower_inner, (0.30 * gap).clamp(max=0.020)),
    )


def between(first: Contours, second: Contours, share: Tensor) -> Contours:
    """The first contours at a share (b, 1) of 0, the second ones at 1."""
    shares = (*[share[..., None]] * 4, share)
    parts = zip(first, second, shares, strict=True)
    return Contours._make(one + (other - one) * weight for one, other, weight in parts)


def heights(contours: Contours, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """y of the four lip lines at x (b or 1, n): (b, n) each, top to bottom."""
    outer, inner, low_inner, low_outer = (
        polyline(x, rounded(line[..., 0]), rounded(line[..., 1])) for line in contours[:4]
    )
    return outer, inner, low_inner, low_outer


def pose(resting: Contours, rest: Rest, asked: Coefficients) -> Pose:
    """The resting mouth, shut if it was parted, with the coefficients applied."""
    # Python's numbers, not torch's: they become constants of the graph, the same on every machine.
    bell = torch.tensor([[1 - (step / 5) ** 2 for step in range(-5, 6)]])
    ends = torch.tensor([[1 - (step / 5) ** 16 for step in range(-5, 6)]])
    gap = _gap(resting)
    hanging = (gap - _TEETH_GAP).clamp(min=0)
    sinks = _SMILE_LIP * (gap - hanging) + _LAUGH_LIP * hanging
    seam = resting.upper_inner[..., 1] + sinks

    parted = 1 - asked.close
    opening = (0.215 * asked.jaw + 0.03 * asked.lower) * parted * (1 - 0.80 * asked.fv)
    pucker = asked.round * (1 - 0.3 * asked.wide)
    profile = bell.pow((1 - 0.20 * asked.jaw - 0.25 * asked.round).clamp(0.35, 1)) * ends
    sink = 0.10 * opening * (1 - profile)
    lift = 0.15 * opening + 0.030 * asked.upper * parted * (1 - 0.5 * asked.fv) + 0.016 * asked.fv
    drop = _JAW_SHARE * opening + 0.030 * asked.lower * parted
    upper_shift = sink - lift * profile
    lower_shift = sink + drop * profile

    upper_inner = seam + upper_shift
    lower_inner = seam + lower_shift - 0.010 * asked.fv * bell
    upper_bulge = 0.012 * asked.close - 0.020 * pucker + 0.006 * asked.wide
    lower_bulge = 0.012 * pucker - 0.014 * asked.close - 0.006 * asked.wide - 0.016 * asked.fv
    upper_outer = resting.upper_outer[..., 1] + 0.85 * sinks + 0.80 * upper_shift + bell * upper_bulge
    lower_outer = resting.lower_outer[..., 1] - 0.70 * (gap - sinks) + 0.95 * lower_shift + bell * lower_bulge

    spreading, rounding, dropping = _STRETCH
    stretch = spreading * asked.wide * (1 - 0.3 * asked.round) + rounding * asked.round + dropping * asked.jaw
    jaw_drop = _JAW_SHARE * opening

    come_in, settle = _shut_smile(seam, rest, opening)
    spread = stretch * rest.half_width - come_in

    def place(line: Tensor, y: Tensor, outwards: Tensor | float = 0.0) -> Tensor:
        x = line[..., 0] + outwards
        away = ((x - rest.centre) / rest.half_width).clamp(-1.2, 1.2)
        return torch.stack([x + spread * away, y + settle], 2)

    # An open mouth is open up to its corners, where the inner lines of shut lips end short of the outer ones.
    reach = 0.45 * smoothstep(opening / 0.10)
    upper_end, lower_end = (outer[..., 0] - inner[..., 0] for outer, inner in (resting[:2], resting[3:1:-1]))
    posed = Contours(
        place(resting.upper_outer, upper_outer),
        place(resting.upper_inner, upper_inner, reach * upper_end),
        place(resting.lower_inner, torch.maximum(lower_inner, upper_inner), reach * lower_end),
        place(resting.lower_outer, lower_outer),
        # A jaw that hangs in a laugh rises to the upper lip.
        resting.chin + 0.62 * (jaw_drop - _JAW_SHARE * hanging[:, 5:6]),
    )
    return Pose(posed, opening, jaw_drop)


def faded(posed: Pose, seen: Contours, weight: Tensor) -> Pose:
    """The pose on the way to the footage's own mouth, where `weight` (b, 1) is 0."""
    opening = opening_of(seen)
    return Pose(
        between(seen, posed.contours, weight),
        opening + (posed.opening - opening) * weight,
        posed.jaw_drop * weight + _JAW_SHARE * opening * (1 - weight),
    )


def _shut_smile(seam: Tensor, rest: Rest, opening: Tensor) -> tuple[Tensor, Tensor]:
    """How far the corners come in (b, 1) and the lips' points sink (b, 11): no mouth shuts as wide as it smiles."""
    smile = (rest.half_width - _SHUT_HALF_WIDTH).clamp(min=0) * rest.parted
    # A quarter stays while the mouth opens, or the corners would twitch with every syllable.
    relaxed = 0.25 + (0.75 - _KEPT_SMILE) * (1 - smoothstep(opening / _SMILE_OPENING))
    flatter = 0.35 * relaxed * smoothstep(smile / _SMILE_WIDTH)
    return relaxed * smile, flatter * (seam[:, 5:6] - seam)


def _gap(contours: Contours) -> Tensor:
    """Distance between the inner lines at their 11 points (b, 11), not negative."""
    return (contours.lower_inner[..., 1] - contours.upper_inner[..., 1]).clamp(min=0)


def _lower_by(line: Tensor, amount: Tensor) -> Tensor:
    return torch.stack([line[..., 0], line[..., 1] + amount], 2)
