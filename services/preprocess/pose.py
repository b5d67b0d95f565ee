"""Where a head is in every frame of a track, and what its mouth looks like at rest. Pure numpy, in slices.

Steps and measurements: smooth, find the most frontal frame, two similarity fits of the stable points, the median of
the most closed mouths, the pose of every frame, how much of a frame's own mouth counts as resting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import LANDMARKS
from services.preprocess.runs import Run
from services.preprocess.smoothing import gaussian_smoothed, running_maximum, smooth_polynomial
from services.preprocess.weights import pose_weight, run_weight, settled, size_weight

Array = NDArray[np.float64]

STABLE: Final = (
    33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 10, 67, 297, 109, 338, 127, 356, 234, 454, 54, 284
)  # fmt: skip
"""Points that do not move with the mouth or the brows"""
_EARS: Final = (234, 454)
LIPS: Final = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375,
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 95, 88, 178, 87, 14, 317, 402, 318, 324,
)  # fmt: skip
_EVERY_POINT: Final = slice(None)
POSE_WINDOW: Final = 9
LIPS_WINDOW: Final = 5
_STILL_WINDOW: Final = 15
_CALM_WINDOW, _QUICK_TURN, _QUICK_PLACE = 15, 7, 3
_NOISE, _MOTION = 0.006, 0.015
"""Face units by which a face strays when it stands still, even in the dark, and when it moves for sure"""
_LEVER: Final = np.array([[-0.5, 0.5, 0], [0, 0, 0.7], [0, 0, 0]])
"""Places of a face seen from between its eyes, as columns of face units: where a turn shows"""
_QUICK: Final = (_NOISE, 0.010)
"""Face units, on the average of the lips: noise of a mouth at rest, and what smoothing must not take from a movement"""
_WORDS: Final = (0.001, 0.003)
"""The same of lips that talk: their skin was followed, there is little noise"""
_SLICE_ROWS: Final = 128
_CLOSED_SHARE: Final = 20
"""Percent of the frames, those with the most closed mouths, that make the resting mouth"""
_NEUTRAL_ROWS: Final = 200
_DEAD_ZONE: Final = 0.035
"""Face units; lips this near to rest keep their own shape, or a still mouth would swim"""
_DEAD_ZONE_FRAMES: Final = 6.0
_RESTING_WINDOW: Final = 25
"""Frames that a mouth must be at rest"""


class LandmarkRows(Protocol):
    """Rows of one track's landmarks, read piece by piece."""

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """(stop - start, 478, 3) source pixels."""


@dataclass(frozen=True, slots=True)
class TrackMotion:
    """A track's head in every row, in face units -> source pixels."""

    neutral: Array
    """(478, 3) face units: the resting mouth, and the rest of the face with it"""
    pose: Array
    """(rows, 3, 4): rotation times scale, and offset; the upper left (2, 2) and the offset are the face's affine"""
    still: Array
    """(rows,) 0..1: how much the frame's own mouth counts as resting"""
    weight: Array
    """(rows,) 0..1: how much of an effect to show"""


@dataclass(frozen=True, slots=True)
class _Similarities:
    """b = scale * rotation @ a + offset, one for each row."""

    scale: Array
    rotation: Array
    offset: Array


def find_motion(rows: LandmarkRows, runs: Sequence[Run], shot: tuple[int, int], believed: Array) -> TrackMotion:
    """Work out the motion of a track; `shot` is the first and the last frame of its shot (included).

    `believed` (rows,) is 0 where the mouth cannot be seen for a thing in front of it or for blur, 1 where it can.
    """
    model = _frontal_model(rows, runs)
    model = _mean_head(rows, runs, model)
    fits, openings = _fit_all(rows, runs, model)
    neutral, centre = _neutral_mouth(rows, fits, openings, believed)
    pose = _poses(fits, centre, runs)
    still = np.concatenate([_stillness(rows, run, pose, neutral) for run in runs])
    weight = (
        np.concatenate([run_weight(run, shot) for run in runs])
        * settled(pose_weight(pose) * size_weight(pose))
        * believed
    )
    return TrackMotion(neutral, pose, still, weight)


def fit_similarities(model: Array, points: Array) -> _Similarities:
    """Umeyama's least-squares similarity from `model` (p, 3) to every row of `points` (n, p, 3)."""
    model_mean, means = model.mean(axis=0), points.mean(axis=1)
    centred_model, centred = model - model_mean, points - means[:, None]
    left, values, right = np.linalg.svd(np.einsum("npi,pj->nij", centred, centred_model))
    mirrored = np.sign(np.linalg.det(left @ right))
    signs = np.ones_like(values)
    signs[:, 2] = mirrored
    rotation = (left * signs[:, None, :]) @ right
    scale = (values * signs).sum(axis=1) / np.square(centred_model).sum()
    offset = means - scale[:, None] * np.einsum("nij,j->ni", rotation, model_mean)
    return _Similarities(scale, rotation, offset)


def place(points: Array, pose: Array) -> Array:
    """(p, 3) points in face units -> source pixels by one row's (3, 4) pose."""
    return points @ pose[:, :3].T + pose[:, 3]


def face_affine(pose: Array) -> Array:
    """(2, 3) affine face units -> source pixels of one row's (3, 4) pose."""
    return pose[:2, [0, 1, 3]]


def seen_face(rows: LandmarkRows, motion: TrackMotion, run: Run, row: int) -> Array:
    """(478, 3): the landmarks of a row, smoothed as far as they differ from the resting face in the head's pose.

    A mouth that rests is smoothed over a longer time: it has nothing to blur, and noise would make it swim. Lips that
    move faster than the smoothing follows are taken as they were seen.
    """
    first, last = run.first_row, run.first_row + run.rows
    seen, moving, still = (
        _smoothed_difference(rows, motion, (first, last), row, min(window, run.rows - 1 + run.rows % 2))
        for window in (1, LIPS_WINDOW, _STILL_WINDOW)
    )
    unit = float(np.linalg.norm(motion.pose[row, :, 0]))
    missed = float(np.sqrt(np.square((seen - moving)[list(LIPS), :2]).sum(axis=1).mean())) / unit
    quick, word = (float(np.clip((missed - low) / (high - low), 0, 1)) for low, high in (_QUICK, _WORDS))
    share = motion.still[row] * (1 - quick)
    difference = share * still + (1 - share) * (moving + word * (seen - moving))
    return np.asarray(place(motion.neutral, motion.pose[row]) + difference)


def _smoothed_difference(
    rows: LandmarkRows, motion: TrackMotion, ends: tuple[int, int], row: int, window: int
) -> Array:
    margin = window // 2
    low, high = max(row - margin, ends[0]), min(row + margin + 1, ends[1])
    pose = motion.pose[low:high]
    at_rest = motion.neutral @ pose[:, :, :3].transpose(0, 2, 1) + pose[:, None, :, 3]
    padding = (margin - (row - low), margin + 1 - (high - row))
    return np.asarray(smooth_polynomial(rows.read(low, high) - at_rest, window, padding)[0])


def smooth_rows(
    rows: LandmarkRows, run: Run, start: int, stop: int, window: int, points: Sequence[int] | slice = _EVERY_POINT
) -> Array:
    """(stop - start, points, 3): rows of one run, smoothed as if the whole run lay in memory."""
    window = min(window, run.rows - 1 + run.rows % 2)
    margin = window // 2
    first, last = run.first_row, run.first_row + run.rows
    low, high = max(start - margin, first), min(stop + margin, last)
    raw = rows.read(low, high)[:, points].astype(np.float64)
    padding = (margin - (start - low), margin - (high - stop))
    return smooth_polynomial(raw, window, padding)


def _slices(runs: Sequence[Run]) -> Iterator[tuple[Run, int, int]]:
    for run in runs:
        end = run.first_row + run.rows
        for start in range(run.first_row, end, _SLICE_ROWS):
            yield run, start, min(start + _SLICE_ROWS, end)


def _frontal_model(rows: LandmarkRows, runs: Sequence[Run]) -> Array:
    """(478, 3) face units round the stable points' centre: the most frontal frame."""
    frontal, least = (runs[0], runs[0].first_row), np.inf
    for run, start, stop in _slices(runs):
        ears = smooth_rows(rows, run, start, stop, POSE_WINDOW, _EARS)
        across = ears[:, 1] - ears[:, 0]
        turned = np.abs(across[:, 2]) / np.maximum(np.hypot(across[:, 0], across[:, 1]), 1e-3)
        index = int(np.argmin(turned))
        if turned[index] < least:
            frontal, least = (run, start + index), float(turned[index])
    run, row = frontal
    best = smooth_rows(rows, run, row, row + 1, POSE_WINDOW)[0]
    centred = best - best[list(STABLE)].mean(axis=0)
    return np.asarray(centred @ _head_axes(best).T / np.linalg.norm(best[263] - best[33]))


def _head_axes(landmarks: Array) -> Array:
    """(3, 3) unit rows: along the eyes, down the face, away from the camera."""
    across = landmarks[263] - landmarks[33]
    across = across / np.linalg.norm(across)
    down = landmarks[152] - landmarks[10]
    down = down - across * (across @ down)
    down = down / np.linalg.norm(down)
    return np.stack([across, down, np.cross(across, down)])


def _fit_slices(rows: LandmarkRows, runs: Sequence[Run], model: Array) -> Iterator[tuple[_Similarities, Array]]:
    """The fits of a slice's rows, and its raw landmarks in the head's frame."""
    stable = list(STABLE)
    for _, start, stop in _slices(runs):
        raw = rows.read(start, stop)
        fits = fit_similarities(model[stable], raw[:, stable].astype(np.float64))
        yield fits, _in_head(raw, fits)


def _in_head(landmarks: NDArray[np.floating], fits: _Similarities) -> Array:
    centred = landmarks - fits.offset[:, None]
    return np.asarray(centred @ fits.rotation / fits.scale[:, None, None])


def _mean_head(rows: LandmarkRows, runs: Sequence[Run], model: Array) -> Array:
    total, count = np.zeros((LANDMARKS, 3)), 0
    for _, heads in _fit_slices(rows, runs, model):
        total += heads.sum(axis=0)
        count += len(heads)
    return total / count


def _fit_all(rows: LandmarkRows, runs: Sequence[Run], model: Array) -> tuple[_Similarities, Array]:
    parts, openings = [], []
    for fits, heads in _fit_slices(rows, runs, model):
        parts.append(fits)
        openings.append(np.linalg.norm(heads[:, 13] - heads[:, 14], axis=1))
    joined = _Similarities(
        np.concatenate([part.scale for part in parts]),
        np.concatenate([part.rotation for part in parts]),
        np.concatenate([part.offset for part in parts]),
    )
    return joined, np.concatenate(openings)


def _neutral_mouth(rows: LandmarkRows, fits: _Similarities, openings: Array, believed: Array) -> tuple[Array, Array]:
    """The resting face round the middle of its mouth, and that middle in the model's frame."""
    seen = np.flatnonzero(believed > 0.5) if (believed > 0.5).any() else np.arange(len(believed))
    closed = seen[openings[seen] <= np.percentile(openings[seen], _CLOSED_SHARE) + 1e-6]
    chosen = closed[np.linspace(0, len(closed) - 1, min(len(closed), _NEUTRAL_ROWS)).astype(int)]
    heads = [
        _in_head(rows.read(row, row + 1), _Similarities(*(part[row : row + 1] for part in _parts(fits))))[0]
        for row in chosen.tolist()
    ]
    neutral = np.median(heads, axis=0)
    corners, seam = neutral[[61, 291]].mean(axis=0), neutral[[13, 14]].mean(axis=0)
    centre = np.array([corners[0], seam[1], (corners[2] + seam[2]) / 2])
    return neutral - centre, centre


def _parts(fits: _Similarities) -> tuple[Array, Array, Array]:
    return fits.scale, fits.rotation, fits.offset


def _poses(fits: _Similarities, centre: Array, runs: Sequence[Run]) -> Array:
    """(rows, 3, 4), smoothed within each run: long where the head is calm, little where it moves fast.

    Place and turn are smoothed apart, since the place is much surer: the mouth hangs on the turn as on a lever.
    """
    linear, poses = fits.scale[:, None, None] * fits.rotation, []
    for run in runs:
        rows = slice(run.first_row, run.first_row + run.rows)
        turn = _adaptively_smoothed(linear[rows], fits.scale[rows], _LEVER, _QUICK_TURN)
        place = _adaptively_smoothed(fits.offset[rows, :, None], fits.scale[rows], np.ones((1, 1)), _QUICK_PLACE)
        poses.append(np.concatenate([turn, turn @ centre[:, None] + place], axis=2))
    return np.concatenate(poses)


def _adaptively_smoothed(values: Array, scale: Array, probes: Array, quick_window: int) -> Array:
    """(n, 3, k) values; `probes` (k, p) make places of p points of a row of them, `scale` (n,) is pixels a unit."""
    calm, quick = (_smoothed(values, window) for window in (_CALM_WINDOW, quick_window))
    # Where smoothing takes the face away from where it was seen, it moved: noise alone does not reach so far.
    moved = np.linalg.norm(((calm - values) @ probes)[:, :2], axis=1).max(axis=1) / scale
    share = np.clip((moved - _NOISE) / (_MOTION - _NOISE), 0, 1)
    share = gaussian_smoothed(running_maximum(share, 5), 1.0)[:, None, None]
    return np.asarray(calm + share * (quick - calm))


def _smoothed(values: Array, window: int) -> Array:
    window = min(window, len(values) - 1 + len(values) % 2)
    return smooth_polynomial(values, window, (window // 2, window // 2))


def _stillness(rows: LandmarkRows, run: Run, pose: Array, neutral: Array) -> Array:
    """(rows of the run,) how much each frame's own mouth counts as resting, smoothed over time."""
    lips = list(LIPS)
    still = []
    for _, start, stop in _slices([run]):
        seen = smooth_rows(rows, run, start, stop, LIPS_WINDOW, LIPS)[:, :, :2]
        at_rest = neutral[lips] @ pose[start:stop, :2, :3].transpose(0, 2, 1) + pose[start:stop, None, :2, 3]
        inverse = np.linalg.inv(pose[start:stop, :2, :2])
        apart = np.abs((seen - at_rest) @ inverse.transpose(0, 2, 1)).max(axis=(1, 2))
        still.append(np.exp(-np.square(apart / _DEAD_ZONE)))
    # Between words a mouth does not rest, or its shape would jump with every word.
    return gaussian_smoothed(-running_maximum(-np.concatenate(still), _RESTING_WINDOW), _DEAD_ZONE_FRAMES)
