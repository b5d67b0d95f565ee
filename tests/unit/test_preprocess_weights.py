"""How much of an effect is shown: less towards the ends of a run and beyond a usable pose."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.runs import Run
from services.preprocess.weights import pose_weight, run_weight, settled, sharpness_weight, size_weight

Array = NDArray[np.float64]


def turn(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> Array:
    """Rotation matrix of angles in degrees: positive pitch looks down, roll is the picture's."""
    y, p, r = np.radians([yaw, pitch, roll])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    around_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(around_z @ around_x @ around_y)


def test_weight_fades_inside_a_shot_only() -> None:
    run = Run(first_frame=10, first_row=0, rows=20)
    inside = run_weight(run, (0, 100))
    assert inside[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert inside[-5:] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])
    assert run_weight(run, (10, 29)).tolist() == [1.0] * 20
    assert run_weight(run, (10, 100))[0] == 1.0


def poses(*angles: tuple[float, float, float], scale: float = 150.0) -> Array:
    """(n, 3, 4) of (yaw, pitch, roll) in degrees."""
    return np.stack([np.column_stack([scale * turn(*angle), np.zeros(3)]) for angle in angles])


def test_weight_falls_with_yaw() -> None:
    weight = pose_weight(poses((0, 10, 0), (37, 5, 10), (-37, 5, 90), (43, 10, 180), (-43, 10, 0), (50, 5, 70)))
    assert weight == pytest.approx([1, 1, 1, 0.5, 0.5, 0], abs=0.03)


def test_weight_falls_with_pitch() -> None:
    weight = pose_weight(poses((0, 33, 0), (10, -13, -90), (0, 40.5, 30), (0, -21.5, 0), (0, 50, 0), (0, -30, 0)))
    assert weight == pytest.approx([1, 1, 0.5, 0.5, 0, 0], abs=0.05)


def test_small_faces_fade() -> None:
    weights = [size_weight(poses((20, 5, 40), scale=scale))[0] for scale in (200, 26, 21, 16)]
    assert weights == pytest.approx([1, 1, 0.5, 0], abs=0.05)


def test_blur_fades_when_it_lasts() -> None:
    blurs = np.array([0.01] * 20 + [0.06] * 3 + [0.01] * 20 + [0.06] * 20)
    weight = sharpness_weight(blurs)
    assert weight[:40].min() == 1
    assert weight[-15:].max() == 0


def test_nothing_stays_half_shown_and_nothing_blinks() -> None:
    assert settled(np.full(30, 0.3)).max() == 0
    assert settled(np.full(30, 0.7)) == pytest.approx(1)
    wavering = 0.5 + 0.1 * np.sin(np.arange(60))
    assert settled(np.concatenate([np.ones(5), wavering])) == pytest.approx(1)
    assert settled(np.concatenate([np.zeros(5), wavering])).max() == 0
    falling = settled(np.linspace(1, 0, 40))
    assert falling[:12] == pytest.approx(1)
    assert falling[-8:].max() == 0
    assert 0 < np.abs(np.diff(falling)).max() < 0.35
