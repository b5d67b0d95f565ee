"""How far the mouth and its surroundings are in view in every row of a track, judged by colours. Pure numpy, offline.

Three signs that something is in the way: colours of the lower face that are not this person's own (compared with their
median over the track, once a change of light, fitted to the upper face, is taken out), lips without a lip's red, and
nothing that looks like a mouth (lips.py). The last two need no frame that shows the person's mouth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from services.preprocess.complexion import (
    ABOVE_LIPS,
    CHIN,
    JOWLS,
    LOWER_FACE,
    LOWER_LIP,
    POINTS,
    UPPER_FACE,
    UPPER_LIP,
    facing_points,
    mesh_points,
)
from services.preprocess.face_picture import BLOWN_OUT
from services.preprocess.runs import Run
from services.preprocess.smoothing import running_median

Array = NDArray[np.float64]

_SLICE_ROWS: Final = 256
_REFERENCE_ROWS: Final = 1000
_COMMON_SHARE: Final = 40
_LUMA: Final = np.array([0.3, 0.59, 0.11])
_LUMA_FLOOR, _CHROMA_FLOOR = 10.0, 15.0
"""Added to 0..255, so that noise in the dark is no difference"""
_LUMA_UNIT, _CHROMA_UNIT = 0.35, 0.06
"""What counts as one unit of difference: of log2 luma, and of chroma"""
_LIKE, _UNLIKE = 0.7, 1.3
"""Units up to which a point looks as usual, and from which it certainly does not"""
_OUTLIER: Final = 0.15
"""log2 luma beyond which a point of the upper face hardly counts when the light is fitted"""
_STEEPEST: Final = 0.8
"""log2 luma an eye distance: no light falls off faster"""
_STIFFNESS: Final = np.diag([0.01, 1.0, 3.0])
"""Keeps the fitted light from leaning on a few points; it may lean less along the face, where it is extrapolated"""
_OWN_SPREAD: Final = 1.5
"""How much more a point may differ that often differs by one unit"""
_LEAST_SKIN_RED: Final = 0.06
_PALE: Final = 0.4
"""Lips are at least so red, in shares of the skin's red; the palest lips that were measured are at 0.8"""
_ALIEN: Final = 0.45
"""No skin, beard or shadow differs so much in chroma from the upper face"""
_LEAST_EVIDENCE: Final = 0.4
"""Of a mouth, for a while; a hand over all of it is below this in four pictures of five, other things in nine of ten"""
_COMPARABLE: Final = 0.25
"""Share of a track with such evidence from which its colours judge alone"""
_LEAST_KNOWN: Final = 0.4
"""Share of the upper face that must be neither black nor blown out for a frame to be judged"""
_SUSPECT, _LASTING, _STRONG = 0.03, 0.05, 0.16
"""Suspicion hides the effect when it lasts or when it is strong somewhere. Measured: talking, turning, relit and noisy
faces stay below 0.03 but for moments of up to 0.14; a finger on the lips is at 0.06 to 0.2, a hand, a microphone or a
cup at 0.1 to 1"""
_LONGEST_UNSEEN: Final = 2
"""Rows that nobody looked at and that do not count, since the face went on where it was expected"""
_LASTING_SECONDS, _GLIMPSE_SECONDS = Fraction(2, 5), Fraction(2, 5)
_MARGIN_SECONDS, _FADE_SECONDS = Fraction(2, 25), Fraction(1, 5)


class LandmarkRows(Protocol):
    """Rows of one track's landmarks, read piece by piece."""

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """(stop - start, 478, 3) source pixels."""


@dataclass(frozen=True, slots=True)
class _Colours:
    """Of n rows: log2 luma (n, p), chroma (n, p, 2), what is known of them (n, p), where the points are (n, p, 2)."""

    luma: Array
    chroma: Array
    shown: NDArray[np.bool_]
    """Inside the picture and not behind the nose"""
    blown: NDArray[np.bool_]
    """At least so bright; the chroma is unknown"""
    places: Array
    """1, and eye distances from the middle of the upper face along x and y: (n, p, 3)"""


@dataclass(frozen=True, slots=True)
class _Usual:
    """How the person usually looks, point by point."""

    luma: Array
    chroma: Array
    blown: NDArray[np.bool_]
    spread: Array
    """Units by which it often differs"""


def find_visibility(
    rgb: NDArray[np.uint8], mouths: Array, landmarks: LandmarkRows, runs: Sequence[Run], frame_rate: Fraction
) -> Array:
    """(rows,) 0..1: 0 where something is in front of the mouth, with soft edges.

    `rgb` (rows, POINTS, 3) and `mouths` (rows,) are as complexion.py reads them; a row of zeros was filled in between
    others, not seen.
    """
    bare = running_median(mouths, _lasting_rows(frame_rate)) >= _LEAST_EVIDENCE
    doubt = find_doubt(rgb, bare, landmarks)
    return np.concatenate(
        [_visibility_of_run(doubt[run.first_row : run.first_row + run.rows], frame_rate) for run in runs]
    )


def find_doubt(rgb: NDArray[np.uint8], bare: NDArray[np.bool_], landmarks: LandmarkRows) -> Array:
    """(rows,) 0..1, about the share of the lower face that is covered; 1 for rows that nobody looked at.

    Only in `bare` rows does the picture look like a mouth.
    """
    seen = np.asarray(rgb.any(axis=(1, 2)))
    chosen = np.flatnonzero(seen)[:: seen.sum() // _REFERENCE_ROWS + 1]
    sample = np.concatenate([landmarks.read(row, row + 1) for row in chosen.tolist()])
    usual = _find_usual(_read(rgb[chosen], sample), bare[chosen])
    doubt = np.empty(len(rgb))
    for start in range(0, len(rgb), _SLICE_ROWS):
        stop = min(start + _SLICE_ROWS, len(rgb))
        doubt[start:stop] = _judge(_read(rgb[start:stop], landmarks.read(start, stop)), usual)
    for start, stop in _stretches(~seen):
        around = max(doubt[max(start - 1, 0)], doubt[min(stop, len(doubt) - 1)])
        doubt[start:stop] = around if stop - start <= _LONGEST_UNSEEN else 1.0
    # Lips can be faint for moments, and a person who shows them now and then can be compared.
    return doubt if bare.mean() > _COMPARABLE else np.where(bare, doubt, 1.0)


def _read(rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> _Colours:
    colours, points = rgb.astype(np.float64), mesh_points(landmarks)[..., :2].astype(np.float64)
    red, blue = colours[..., 0] - colours[..., 1], colours[..., 2] - colours[..., 1]
    upper = points[:, UPPER_FACE]
    size = np.maximum(np.linalg.norm(landmarks[:, 263] - landmarks[:, 33], axis=1), 1.0)
    places = (points - upper.mean(axis=1, keepdims=True)) / size[:, None, None]
    return _Colours(
        luma=np.log2(colours @ _LUMA + _LUMA_FLOOR),
        chroma=np.stack([red, blue], axis=2) / (colours.mean(axis=2) + _CHROMA_FLOOR)[..., None],
        shown=rgb.any(axis=2) & facing_points(landmarks),
        blown=rgb.max(axis=2) >= BLOWN_OUT,
        places=np.concatenate([np.ones((*points.shape[:2], 1)), places], axis=2),
    )


def _find_usual(colours: _Colours, bare: NDArray[np.bool_]) -> _Usual:
    """How the person looks without anything in front of the mouth, though that may be so in few of the rows."""
    bare = bare & (_strangeness(colours) == 0)
    clear = np.flatnonzero(bare)
    every = np.arange(len(colours.luma))
    usual = _medians(colours, clear if len(clear) >= max(3, 0.1 * len(every)) else every)
    # A hand that is there most of the time is what is usual; but lips stand out from the skin, and no hand does.
    unlike = np.flatnonzero((_judge(colours, usual) > _STRONG / 2) & bare)
    like = np.setdiff1d(every, unlike)
    contrast = _lip_contrast(colours)
    if len(unlike) >= max(3, 0.05 * len(every)) and np.median(contrast[unlike]) > np.median(contrast[like]) + 1:
        return _medians(colours, unlike)
    return usual


def _medians(colours: _Colours, rows: NDArray[np.intp]) -> _Usual:
    luma, chroma = np.median(colours.luma[rows], axis=0), np.median(colours.chroma[rows], axis=0)
    usual = _Usual(luma, chroma, colours.blown[rows].mean(axis=0) > 0.5, np.zeros(POINTS))
    return replace(usual, spread=np.percentile(_difference(colours, usual)[rows], _COMMON_SHARE, axis=0))


def _lip_contrast(colours: _Colours) -> Array:
    """(n,) units by which the lips are redder than the skin around them and than the upper face."""
    lips, *skin = (
        np.median(colours.chroma[:, part, 0], axis=1)
        for part in (slice(UPPER_LIP.start, LOWER_LIP.stop), slice(ABOVE_LIPS.start, JOWLS.stop), UPPER_FACE)
    )
    return np.asarray((lips - np.max(skin, axis=0)) / _CHROMA_UNIT)


def _judge(colours: _Colours, usual: _Usual) -> Array:
    """(n,) doubt by both signs."""
    units, shown = _difference(colours, usual), colours.shown
    # Where even the upper face differs (noise, a bad picture), a difference of the lower face says less.
    units = units / (1 + _OWN_SPREAD * usual.spread) / (1 + np.median(units[:, UPPER_FACE], axis=1))[:, None]
    strange = np.clip((units - _LIKE) / (_UNLIKE - _LIKE), 0, 1) * shown
    share = strange[:, LOWER_FACE].sum(axis=1) / np.maximum(shown[:, LOWER_FACE].sum(axis=1), 10)
    judged = (shown & ~colours.blown & ~usual.blown)[:, UPPER_FACE].mean(axis=1) >= _LEAST_KNOWN
    return np.maximum(np.where(judged, share, 0.0), _strangeness(colours))


def _difference(colours: _Colours, usual: _Usual) -> Array:
    """(n, p) units by which each point differs from the usual, a change of light taken out."""
    luma, chroma, upper = colours.luma - usual.luma, colours.chroma - usual.chroma, UPPER_FACE
    known = colours.shown & ~colours.blown & ~usual.blown
    places, certain = colours.places[:, upper], known[:, upper] + 1e-3
    light, weight = np.zeros((len(luma), 3)), certain
    for _ in range(4):
        weighted = places * weight[..., None] ** 2
        square = np.einsum("npi,npj->nij", weighted, places) + _STIFFNESS
        light = np.linalg.solve(square, np.einsum("npi,np->ni", weighted, luma[:, upper])[..., None])[..., 0]
        weight = certain / (1 + np.square((luma[:, upper] - np.einsum("npi,ni->np", places, light)) / _OUTLIER))
    light[:, 1:] = np.clip(light[:, 1:], -_STEEPEST, _STEEPEST)
    luma -= np.einsum("npi,ni->np", colours.places, light)
    # What is blown out is at least so bright.
    luma = np.where(colours.blown, np.maximum(luma, 0), luma)
    luma = np.where(usual.blown, np.minimum(luma, 0), luma)
    chroma -= np.median(chroma[:, upper], axis=1, keepdims=True)
    chroma_units = np.linalg.norm(chroma, axis=2) / _CHROMA_UNIT * known
    return np.asarray(np.hypot(luma / _LUMA_UNIT, chroma_units))


def _strangeness(colours: _Colours) -> Array:
    """(n,) 1 where the lips, and the chin or the skin above them, have a colour that no face has; needs no reference.

    The lower lip decides, for a moustache hides the upper one; a beard is dark and pale, but leaves the lip its red.
    """
    skin = np.median(colours.chroma[:, UPPER_FACE], axis=1, keepdims=True)
    pale = colours.shown & (colours.chroma[..., 0] < _PALE * skin[..., 0]) & (skin[..., 0] > _LEAST_SKIN_RED)
    alien = colours.shown & (np.abs(colours.chroma - skin).max(axis=2) > _ALIEN)
    beside = np.maximum(pale[:, CHIN].mean(axis=1), pale[:, ABOVE_LIPS].mean(axis=1))
    pale_lips = np.minimum(pale[:, LOWER_LIP].mean(axis=1), 2 * beside)
    return np.where((pale_lips > 0.5) | (alien[:, CHIN].mean(axis=1) > 0.6), 1.0, 0.0)


def _visibility_of_run(doubt: Array, frame_rate: Fraction) -> Array:
    """(n,) 0..1 of consecutive rows: no glimpses between two covers, a margin, soft edges."""
    hidden = _hidden(doubt, frame_rate)
    glimpse = round(_GLIMPSE_SECONDS * frame_rate)
    for start, stop in _stretches(~hidden):
        if stop - start < glimpse and start > 0 and stop < len(hidden):
            hidden[start:stop] = True
    margin, fade = max(1, round(_MARGIN_SECONDS * frame_rate)), max(3, round(_FADE_SECONDS * frame_rate))
    share = np.clip((_rows_to_nearest(hidden) - margin) / fade, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _hidden(doubt: Array, frame_rate: Fraction) -> NDArray[np.bool_]:
    """(n,) the stretches of suspicion that last or that are strong somewhere; a single row is never enough."""
    calm = running_median(doubt, 3)
    lasting = running_median(doubt, _lasting_rows(frame_rate))
    hidden = np.zeros(len(doubt), np.bool_)
    for start, stop in _stretches(calm > _SUSPECT):
        hidden[start:stop] = calm[start:stop].max() > _STRONG or lasting[start:stop].max() > _LASTING
    return hidden


def _lasting_rows(frame_rate: Fraction) -> int:
    """An odd number."""
    return 2 * round(_LASTING_SECONDS * frame_rate / 2) + 1


def _stretches(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[start, stop) of every run of marked rows."""
    borders = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]])))
    return list(zip(borders[::2].tolist(), borders[1::2].tolist(), strict=True))


def _rows_to_nearest(marked: NDArray[np.bool_]) -> Array:
    """(n,) rows to the nearest marked one: 0 for itself, infinite when there is none."""
    rows = np.arange(len(marked))
    before = np.maximum.accumulate(np.where(marked, rows, -np.inf))
    after = np.minimum.accumulate(np.where(marked, rows, np.inf)[::-1])[::-1]
    return np.asarray(np.minimum(rows - before, after - rows))
