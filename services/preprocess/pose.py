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
from services.preprocess.recording import Run
from services.preprocess.smoothing import gaussian_smoothed, smooth_polynomial

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
_NUMBERS_WINDOW: Final = 7
_SLICE_ROWS: Final = 128
_CLOSED_SHARE: Final = 20
"""Percent of the frames, those with the most closed mouths, that make the resting mouth"""
_NEUTRAL_ROWS: Final = 200
_DEAD_ZONE: Final = 0.035
"""Face units; lips this near to rest keep their own shape, or a still mouth would swim"""
_DEAD_ZONE_FRAMES: Final = 3.0
_FADE_FRAMES: Final = 4
_YAW_FULL, _YAW_NONE = np.radians(35.0), np.radians(50.0)


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


def find_motion(rows: LandmarkRows, runs: Sequence[Run], shot: tuple[int, int]) -> TrackMotion:
    """Work out the motion of a track; `shot` is the first and the last frame of its shot (included)."""
    model = _frontal_model(rows, runs)
    model = _mean_head(rows, runs, model)
    fits, openings = _fit_all(rows, runs, model)
    neutral, centre = _neutral_mouth(rows, fits, openings)
    pose = _poses(fits, centre, runs)
    still = np.concatenate([_stillness(rows, run, pose, neutral) for run in runs])
    weight = np.concatenate([run_weight(run, shot) for run in runs]) * yaw_weight(pose)
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


def run_weight(run: Run, shot: tuple[int, int]) -> Array:
    """(rows,) 1, fading to 0 over four frames where the run starts or ends within its shot."""
    up = np.arange(1, run.rows + 1) / (_FADE_FRAMES + 1)
    rising = np.ones(run.rows) if run.first_frame <= shot[0] else np.minimum(up, 1)
    falling = np.ones(run.rows) if run.last_frame >= shot[1] else np.minimum(up[::-1], 1)
    return np.minimum(rising, falling)


def yaw_weight(pose: Array) -> Array:
    """(rows,) 1 up to 35 degrees of yaw, 0 from 50 degrees on, smooth between."""
    yaw = np.abs(np.arctan2(pose[:, 0, 2], pose[:, 2, 2]))
    share = np.clip((_YAW_NONE - yaw) / (_YAW_NONE - _YAW_FULL), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


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
    for run, start, stop in _slices(runs):
        smoothed = smooth_rows(rows, run, start, stop, POSE_WINDOW, STABLE)
        fits = fit_similarities(model[stable], smoothed)
        yield fits, _in_head(rows.read(start, stop), fits)


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


def _neutral_mouth(rows: LandmarkRows, fits: _Similarities, openings: Array) -> tuple[Array, Array]:
    """The resting face round the middle of its mouth, and that middle in the model's frame."""
    closed = np.flatnonzero(openings <= np.percentile(openings, _CLOSED_SHARE) + 1e-6)
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
    """(rows, 3, 4), smoothed within each run."""
    linear = fits.scale[:, None, None] * fits.rotation
    raw = np.concatenate([linear, (linear @ centre + fits.offset)[:, :, None]], axis=2)
    smoothed = []
    for run in runs:
        window = min(_NUMBERS_WINDOW, run.rows - 1 + run.rows % 2)
        part = raw[run.first_row : run.first_row + run.rows]
        smoothed.append(smooth_polynomial(part, window, (window // 2, window // 2)))
    return np.concatenate(smoothed)


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
    return gaussian_smoothed(np.concatenate(still), _DEAD_ZONE_FRAMES)
