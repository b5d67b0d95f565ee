"""What shows between the lips, by pixels: brightness and colour across open mouths, real ones and rendered ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from tests.quality.mouth_measures import inner_opening
from tests.quality.pixel_measures import Image
from tests.quality.tables import shown

UPPER: Final = (80, 81, 82, 13, 312, 311, 310)
LOWER: Final = (88, 178, 87, 14, 317, 402, 318)
"""Inner lips from the image's left to its right; the corners themselves are too low to sample"""
HEIGHTS: Final = 13
"""Samples from the upper lip's edge to the lower one's, both included"""
_MIDDLE: Final = slice(2, 5)
"""Columns"""
_CHEEKS: Final = (50, 280, 205, 425)
_CHEEK: Final = 0.04
"""Eye distances round each that make the cheeks' colour"""
_OPENINGS: Final = (0.04, 0.08)
"""Eye distances from which on a mouth counts as narrow, and as wide"""
_LEAST_FRAMES: Final = 5
"""Open mouths of a kind that make a profile"""
LUMINANCE: Final = np.array([0.30, 0.59, 0.11])

Profile = NDArray[np.float64]
"""(2, HEIGHTS, 7): luminance, and red less blue, over the luminance of the cheeks"""


@dataclass(frozen=True, slots=True)
class Insides:
    """The insides of a clip's open mouths, by how far they are open."""

    narrow: list[Profile] = field(default_factory=list)
    wide: list[Profile] = field(default_factory=list)

    def add(self, rgb: Image, landmarks: NDArray[np.floating]) -> None:
        """One frame with its face (478, 3); a mouth that is shut, or a missing face (NaN), adds nothing."""
        opening = float(inner_opening(landmarks))
        if opening >= _OPENINGS[0]:
            (self.wide if opening >= _OPENINGS[1] else self.narrow).append(inside_profile(rgb, landmarks))


@dataclass(frozen=True, slots=True)
class InsideFigures:
    """One clip: what real mouths show, then what ours do, over the cheeks' luminance."""

    clip: str
    kind: str
    frames: tuple[int, int]
    middle: tuple[float, float]
    """Luminance in the middle of the mouth"""
    darkest: tuple[float, float]
    """Luminance of the darkest height, in the middle three columns, mean of the frames"""
    corners: tuple[float, float]
    """Luminance of the outer two columns"""
    redness: tuple[float, float]
    """Red less blue"""
    contrast: tuple[float, float]
    """Deviation of the luminance down the middle three columns, mean of the frames"""
    distance: tuple[float, float]
    """Mean difference of the two profiles: luminance, red less blue"""
    profiles: tuple[Profile, Profile] = field(repr=False)


def inside_profile(rgb: Image, landmarks: NDArray[np.floating]) -> Profile:
    """Of one face (478, 3) in a picture (height, width, 3)."""
    upper, lower = (landmarks[list(line), :2].astype(np.float64) for line in (UPPER, LOWER))
    share = np.linspace(0, 1, HEIGHTS)[:, None, None]
    places = upper + (lower - upper) * share
    colours = _sampled(rgb, places)
    cheek = float(cheek_colour(rgb, landmarks) @ LUMINANCE)
    return np.stack([colours @ LUMINANCE, colours[..., 0] - colours[..., 2]]) / max(cheek, 1.0)


def cheek_colour(rgb: Image, landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """(3,) 0..255, the median of both cheeks."""
    unit = float(np.linalg.norm(landmarks[263, :2] - landmarks[33, :2]))
    around = np.stack(np.meshgrid(*[np.linspace(-_CHEEK, _CHEEK, 5) * unit] * 2), axis=-1).reshape(1, -1, 2)
    patches = landmarks[list(_CHEEKS), None, :2] + around
    return np.asarray(np.median(_sampled(rgb, patches).reshape(-1, 3), axis=0))


def figures_of(clip: str, real: Insides, ours: Insides) -> list[InsideFigures]:
    """The rows of one clip: of narrow and of wide mouths, where both have some."""
    rows = []
    for kind, theirs, own in (("narrow", real.narrow, ours.narrow), ("wide", real.wide, ours.wide)):
        if min(len(theirs), len(own)) < _LEAST_FRAMES:
            continue
        both = np.stack(theirs), np.stack(own)
        means = both[0].mean(axis=0), both[1].mean(axis=0)
        away = np.abs(means[1] - means[0]).mean(axis=(1, 2))
        rows.append(
            InsideFigures(
                clip=clip,
                kind=kind,
                frames=(len(theirs), len(own)),
                middle=_of_both(both, lambda shown: shown[:, 0, 1:-1, _MIDDLE].mean()),
                darkest=_of_both(both, lambda shown: shown[:, 0, :, _MIDDLE].mean(axis=2).min(axis=1).mean()),
                corners=_of_both(both, lambda shown: shown[:, 0, 1:-1, [0, -1]].mean()),
                redness=_of_both(both, lambda shown: shown[:, 1, 1:-1].mean()),
                contrast=_of_both(both, lambda shown: shown[:, 0, 1:-1, _MIDDLE].mean(axis=2).std(axis=1).mean()),
                distance=(float(away[0]), float(away[1])),
                profiles=means,
            )
        )
    return rows


def table_of(rows: Sequence[InsideFigures]) -> Table:
    """For the terminal; the last line is the mean."""
    return shown(
        "Inside open mouths, over the cheeks' luminance: real / ours", _HEADINGS, _cells(rows), left=("clip", "mouths")
    )


def profile_table(rows: Sequence[InsideFigures]) -> Table:
    """For the terminal: the mean profiles of all clips from the upper lip to the lower one, middle three columns."""
    headings = ["", *(str(height) for height in range(HEIGHTS))]
    title = "From the upper lip's edge to the lower one's, in the middle"
    return shown(title, headings, _profile_cells(rows), left=("",))


def markdown_of(rows: Sequence[InsideFigures]) -> str:
    """For a page: both tables."""
    profile = [["", *(str(height) for height in range(HEIGHTS))], ["---"] * (HEIGHTS + 1), *_profile_cells(rows)]
    return "\n".join(_lines(table) for table in ([_HEADINGS, ["---"] * len(_HEADINGS), *_cells(rows)], profile))


_HEADINGS: Final = [
    "clip",
    "mouths",
    "frames",
    "middle",
    "darkest",
    "corners",
    "contrast",
    "red - blue",
    "distance in luminance",
    "in red - blue",
]


def _cells(rows: Sequence[InsideFigures]) -> list[list[str]]:
    cells = [
        [row.clip, row.kind, f"{row.frames[0]} / {row.frames[1]}"]
        + [f"{pair[0]:.2f} / {pair[1]:.2f}" for pair in _pairs(row)]
        + [f"{away:.3f}" for away in row.distance]
        for row in rows
    ]
    pairs = np.mean([_pairs(row) for row in rows], axis=0)
    away = np.mean([row.distance for row in rows], axis=0)
    return [
        *cells,
        ["mean", "", "", *(f"{real:.2f} / {ours:.2f}" for real, ours in pairs), *(f"{one:.3f}" for one in away)],
    ]


def _pairs(row: InsideFigures) -> tuple[tuple[float, float], ...]:
    return row.middle, row.darkest, row.corners, row.contrast, row.redness


def _profile_cells(rows: Sequence[InsideFigures]) -> list[list[str]]:
    cells = []
    for channel, name in enumerate(("luminance", "red - blue")):
        for which, whose in enumerate(("real", "ours")):
            line = np.mean([row.profiles[which][channel, :, _MIDDLE].mean(axis=1) for row in rows], axis=0)
            cells.append([f"{name}, {whose}", *(f"{value:.2f}" for value in line)])
    return cells


def _lines(table: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in table)


def _of_both(both: tuple[Profile, Profile], figure: Callable[[Profile], np.floating]) -> tuple[float, float]:
    return float(figure(both[0])), float(figure(both[1]))


def _sampled(rgb: Image, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours (..., 3) 0..255 at pixels (..., 2), bilinear."""
    flat = places.reshape(1, -1, 2).astype(np.float32) - np.float32(0.5)
    found = cv2.remap(rgb, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float64).reshape(*places.shape[:-1], 3)
