"""The numpy form of MediaPipe's custom operators, on cases whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from export.attention_reference import sample_features, transform_landmarks, transform_matrix

OPTIONS = {
    "left_rotation_idx": 0,
    "right_rotation_idx": 1,
    "subset_idxs": [0, 1, 2, 3],
    "output_width": 16,
    "output_height": 16,
    "scale_x": 1.0,
    "scale_y": 1.0,
    "target_rotation_radians": 0.0,
}


def box(angle: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Four points on a 8 x 4 box round (20, 10), turned."""
    corners = np.array([[-4, 0], [4, 0], [0, -2], [0, 2]], np.float64)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.concatenate([corners @ turn + [20, 10], np.zeros((4, 1))], axis=1)


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2, 3.0])
def test_grid_corners_fall_on_the_turned_box(angle: float) -> None:
    matrix = transform_matrix(box(angle), OPTIONS)
    ends = transform_landmarks(np.array([[0, 8.0, 5.0], [16, 8.0, 5.0], [8, 8.0, 5.0]]), matrix)
    assert ends[:2, :2] == pytest.approx(box(angle)[:2, :2])
    assert ends[2] == pytest.approx([20, 10, 5])


def test_upright_grid_of_the_maps_own_size_reads_the_map() -> None:
    features = np.random.default_rng(0).random((16, 16, 3))
    assert sample_features(features, np.eye(4), OPTIONS) == pytest.approx(features)


def test_outside_the_map_is_zero() -> None:
    away = np.eye(4)
    away[0, 3] = 100
    assert not sample_features(np.ones((16, 16, 3)), away, OPTIONS).any()
