"""The pose of a head: synthetic heads that are turned, moved and scaled must be found again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from services.preprocess.faces import LANDMARKS
from services.preprocess.pose import (
    LIPS,
    LIPS_WINDOW,
    POSE_WINDOW,
    face_affine,
    find_motion,
    fit_similarities,
    place,
    seen_face,
    smooth_rows,
)
from services.preprocess.recording import filled_gap
from services.preprocess.runs import Run
from services.preprocess.smoothing import gaussian_smoothed, running_maximum, running_median, smooth_polynomial

Array = NDArray[np.float64]
WHOLE = (0, 10_000)


class MemoryRows:
    """Landmarks in memory."""

    def __init__(self, landmarks: Array) -> None:
        self._landmarks = landmarks.astype(np.float32)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        assert 0 <= start < stop <= len(self._landmarks)
        return self._landmarks[start:stop]


def head() -> Array:
    """(478, 3) face units round the mouth: a curved surface, the named points where a face has them."""
    random = np.random.default_rng(7)
    flat = random.uniform([-0.7, -1.2], [0.7, 0.5], (LANDMARKS, 2))
    points = np.column_stack([flat, 0.8 * np.square(flat[:, 0]) + 0.3 * np.square(flat[:, 1] + 0.4)])
    points[list(LIPS)] = random.uniform([-0.2, -0.08, -0.02], [0.2, 0.1, 0.02], (len(LIPS), 3))
    named = {33: (-0.5, -0.8, 0.2), 263: (0.5, -0.8, 0.2), 10: (0, -1.3, 0.1), 152: (0, 0.5, 0.1),
             234: (-0.75, -0.6, 0.6), 454: (0.75, -0.6, 0.6), 61: (-0.25, 0, 0.05), 291: (0.25, 0, 0.05),
             13: (0, 0, -0.05), 14: (0, 0.0, -0.05)}  # fmt: skip
    for index, point in named.items():
        points[index] = point
    return points


def turn(yaw: float, pitch: float, roll: float) -> Array:
    """Rotation matrix of angles in degrees."""
    y, p, r = np.radians([yaw, pitch, roll])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    around_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(around_z @ around_x @ around_y)


def moving_head(rows: int, opening: Array | None = None) -> Array:
    """(rows, 478, 3) pixels: a head that nods, turns, comes nearer and wanders; `opening` drops the lower lip."""
    frames = []
    for row in range(rows):
        face = head()
        if opening is not None:
            face[14, 1] += opening[row]
            face[17, 1] += opening[row]
        phase = 2 * np.pi * row / 60
        rotation = turn(12 * np.sin(phase), 6 * np.cos(phase), 5 * np.sin(phase / 2))
        frames.append((150 + 10 * np.sin(phase)) * face @ rotation.T + [640 + row * 0.5, 300, 0])
    return np.array(frames)


def one_run(rows: int) -> list[Run]:
    return [Run(first_frame=0, first_row=0, rows=rows)]


def test_similarity_is_found_exactly() -> None:
    model = np.random.default_rng(1).normal(size=(25, 3))
    rotation = turn(30, -20, 10)
    fits = fit_similarities(model, (2.5 * model @ rotation.T + [3, -4, 5])[None])
    assert fits.scale[0] == pytest.approx(2.5)
    assert np.allclose(fits.rotation[0], rotation)
    assert np.allclose(fits.offset[0], [3, -4, 5])


def test_rest_of_a_still_mouth_is_where_the_mouth_is() -> None:
    landmarks = moving_head(300)
    motion = find_motion(MemoryRows(landmarks), one_run(300), WHOLE, np.ones(300))
    for row in (20, 128, 255):
        apart = place(motion.neutral, motion.pose[row])[:, :2] - landmarks[row, :, :2]
        assert np.abs(apart).max() < 0.6
    assert motion.still.min() > 0.9


def test_affine_takes_face_units_to_pixels() -> None:
    landmarks = moving_head(120)
    motion = find_motion(MemoryRows(landmarks), one_run(120), WHOLE, np.ones(120))
    origin = face_affine(motion.pose[60])[:, 2]
    middle = landmarks[60][[61, 291, 13, 14], :2].mean(axis=0)
    assert np.abs(origin - middle).max() < 3
    eyes = motion.neutral[263] - motion.neutral[33]
    assert np.linalg.norm(eyes) == pytest.approx(1, abs=0.02)
    assert abs(eyes[1]) < 0.02


def test_neutral_mouth_is_the_closed_one() -> None:
    opening = 0.15 * np.square(np.sin(np.arange(200) / 7))
    motion = find_motion(MemoryRows(moving_head(200, opening)), one_run(200), WHOLE, np.ones(200))
    assert np.linalg.norm(motion.neutral[13] - motion.neutral[14]) < 0.02
    assert motion.still[opening > 0.14].max() < 0.5


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 8, 9, 10])
def test_short_tracks_work(rows: int) -> None:
    landmarks = moving_head(rows)
    motion = find_motion(MemoryRows(landmarks), one_run(rows), (0, rows - 1), np.ones(rows))
    assert motion.pose.shape == (rows, 3, 4)
    assert np.isfinite(motion.pose).all()
    assert motion.weight.tolist() == [1.0] * rows
    assert np.abs(place(motion.neutral, motion.pose[0])[:, :2] - landmarks[0, :, :2]).max() < 3


def test_slices_are_smoothed_as_the_whole() -> None:
    landmarks = moving_head(40) + np.random.default_rng(3).normal(size=(40, LANDMARKS, 3))
    rows, run = MemoryRows(landmarks), one_run(40)[0]
    whole = savgol_filter(landmarks.astype(np.float32).astype(float), POSE_WINDOW, 2, axis=0, mode="nearest")
    pieces = [smooth_rows(rows, run, start, start + 8, POSE_WINDOW) for start in range(0, 40, 8)]
    assert np.allclose(np.concatenate(pieces), whole)
    assert np.allclose(smooth_rows(rows, run, 39, 40, LIPS_WINDOW, [5, 7]).shape, (1, 2, 3))


def test_smoothing_never_reaches_across_runs() -> None:
    landmarks = np.concatenate([moving_head(30), moving_head(30) + 500])
    runs = [Run(0, 0, 30), Run(50, 30, 30)]
    rows = MemoryRows(landmarks)
    smoothed = smooth_rows(rows, runs[0], 25, 30, POSE_WINDOW)
    assert np.abs(smoothed - landmarks[25:30]).max() < 3
    motion = find_motion(rows, runs, (0, 79), np.ones(60))
    assert np.abs(place(motion.neutral, motion.pose[30])[:, :2] - landmarks[30, :, :2]).max() < 3


def test_a_hidden_mouth_is_never_the_neutral_one() -> None:
    opening = np.where(np.arange(200) < 60, 0.0, 0.1)
    visible = (opening > 0).astype(float)
    motion = find_motion(MemoryRows(moving_head(200, opening)), one_run(200), (0, 199), visible)
    assert np.linalg.norm(motion.neutral[13] - motion.neutral[14]) > 0.08
    assert motion.weight.tolist() == visible.tolist()


def jitter(points: Array) -> float:
    """Mean step from row to row, in thousandths of a face unit of 150 pixels."""
    return float(np.abs(np.diff(points[:, list(LIPS), :2], axis=0)).mean() / 150 * 1000)


def test_noise_of_a_still_head_is_no_motion() -> None:
    raw = 150 * head() + np.random.default_rng(5).normal(size=(80, LANDMARKS, 3)) * 0.6
    rows, run = MemoryRows(raw), one_run(80)[0]
    motion = find_motion(rows, [run], WHOLE, np.ones(80))
    seen = np.array([seen_face(rows, motion, run, row) for row in range(80)])
    at_rest = np.array([place(motion.neutral, pose) for pose in motion.pose])
    assert jitter(raw) > 4
    assert jitter(seen) < 0.15 * jitter(raw)
    assert jitter(at_rest) < 0.15 * jitter(raw)


@pytest.mark.parametrize("period", [4, 11, 25])
def test_fast_motion_is_followed(period: int) -> None:
    """A shaken head or camera; a step that no smoothing may round when the period is 4: it lasts two frames."""
    phase = 2 * np.pi * np.arange(60) / period
    shift = np.stack(
        [40 * np.sign(np.sin(phase + 0.1)) if period == 4 else 40 * np.sin(phase), 0 * phase, 0 * phase], 1
    )
    raw = 150 * head() + shift[:, None]
    motion = find_motion(MemoryRows(raw), one_run(60), WHOLE, np.ones(60))
    at_rest = np.array([place(motion.neutral, pose) for pose in motion.pose])
    assert np.abs(at_rest - raw)[5:-5].max() < 0.01 * 150


def test_gap_is_filled_on_straight_lines() -> None:
    before, after = np.zeros((LANDMARKS, 3), np.float32), np.full((LANDMARKS, 3), 4, np.float32)
    assert filled_gap(before, after, 3)[:, 0, 0].tolist() == [1, 2, 3]
    assert filled_gap(before, after, 0).shape == (0, LANDMARKS, 3)


def test_smoothing_keeps_polynomials_and_constants() -> None:
    line = np.linspace(0, 1, 20)[:, None] ** 2
    inner = smooth_polynomial(line, 7, (0, 0))
    assert np.allclose(inner, line[3:-3])
    assert np.allclose(gaussian_smoothed(np.full(5, 0.3), 3.0), 0.3)


def test_running_median_and_maximum() -> None:
    values = np.array([0.0, 5, 0, 0, 1, 2, 3])
    assert running_median(values, 3).tolist() == [0, 0, 0, 0, 1, 2, 3]
    assert running_maximum(values, 3).tolist() == [5, 5, 5, 1, 2, 3, 3]
