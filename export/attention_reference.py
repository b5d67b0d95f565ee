"""MediaPipe's three custom operators in plain numpy, one face at a time: what the ONNX graph is held against.

Written from the description of the operators with angles and 4 x 4 matrices, not from the graph's own formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def transform_matrix(landmarks: Array, options: Mapping[str, Any]) -> Array:
    """(n, 3) landmarks -> the (4, 4) matrix from the head's grid to the feature map."""
    left, right = landmarks[options["left_rotation_idx"]], landmarks[options["right_rotation_idx"]]
    angle = np.arctan2(right[1] - left[1], right[0] - left[0]) - options["target_rotation_radians"]
    subset = landmarks[np.array(options["subset_idxs"]).reshape(-1), :2]
    upright = subset @ _rotation(angle)[:2, :2]
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = np.append(_rotation(angle)[:2, :2] @ ((low + high) / 2), 0)
    size = np.array([options["output_width"], options["output_height"]], np.float64)
    scale = (high - low) * [options["scale_x"], options["scale_y"]] / size
    scaling = np.diag([*scale, 1, 1])
    return _translation(centre) @ _rotation(angle) @ scaling @ _translation(np.array([*(-size / 2), 0]))


def sample_features(features: Array, matrix: Array, options: Mapping[str, Any]) -> Array:
    """(h, w, c) features looked at through `matrix`, bilinearly, zero outside."""
    rows, columns = np.mgrid[0 : options["output_height"], 0 : options["output_width"]] + 0.5
    cells = np.stack([columns, rows, 0 * rows, 0 * rows + 1])
    x, y = np.einsum("ij,jrc->irc", matrix, cells)[:2] - 0.5
    seen = np.zeros((*rows.shape, features.shape[2]))
    for down in (0, 1):
        for along in (0, 1):
            row, column = np.floor(y).astype(int) + down, np.floor(x).astype(int) + along
            weight = (1 - np.abs(y - row)) * (1 - np.abs(x - column))
            inside = (row >= 0) & (row < features.shape[0]) & (column >= 0) & (column < features.shape[1])
            seen[inside] += features[row[inside], column[inside]] * weight[inside, None]
    return seen


def transform_landmarks(landmarks: Array, matrix: Array) -> Array:
    """(n, 2 or 3) landmarks through `matrix`; a third coordinate stays."""
    moved = landmarks.copy()
    moved[:, :2] = landmarks[:, :2] @ matrix[:2, :2].T + matrix[:2, 3]
    return moved


def _rotation(angle: float) -> Array:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0, 0], [sine, cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def _translation(shift: Array) -> Array:
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    return matrix
