"""How much of an effect is shown: less towards the ends of a run and beyond a usable pose."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.recording import Run
from services.preprocess.weights import pose_weight, run_weight

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


def test_weight_falls_with_yaw() -> None:
    pose = np.stack([np.column_stack([150 * turn(yaw, 5, 10), np.zeros(3)]) for yaw in (0, 30, -34, 42.5, -60)])
    weight = pose_weight(pose)
    assert weight[:3] == pytest.approx([1, 1, 1], abs=0.02)
    assert weight[3] == pytest.approx(0.5, abs=0.1)
    assert weight[4] == 0
