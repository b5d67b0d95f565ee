"""What is read of a face's looks: colours at points of the mesh, which of them face the camera, how wide edges are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.preprocess.complexion import (
    LOWER_LIP,
    POINTS,
    UPPER_FACE,
    edge_width,
    facing_points,
    mesh_points,
)
from tests.coloured_face import LIPS, SKIN, drawn, face, look
from tests.shown_picture import ShownPicture


def test_colours_are_means_at_the_points_of_the_mesh() -> None:
    colours = look(ShownPicture(drawn(0)), face())
    assert colours.shape == (POINTS, 3)
    assert np.abs(colours[UPPER_FACE].astype(int) - SKIN).max() < 45
    assert np.abs(np.median(colours[LOWER_LIP], axis=0) - np.multiply(LIPS, 0.97)).max() < 12


def test_points_outside_the_picture_are_unknown() -> None:
    landmarks = face() + np.array([0, 60, 0], np.float32)
    colours = look(ShownPicture(drawn(0)), landmarks)
    outside = mesh_points(landmarks)[:, 1] > 240
    assert outside.any()
    assert (colours.any(axis=1) == ~outside).all()


def test_the_far_cheek_of_a_turned_head_is_not_judged() -> None:
    landmarks, yaw = face(), np.radians(60)
    centred = landmarks - np.array([100, 100, 60], np.float32)
    rotation = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turned = (centred @ rotation.T).astype(np.float32)
    assert facing_points(centred[None])[0].mean() > 0.95
    far = mesh_points(centred)[:, 0] < -25
    assert not facing_points(turned[None])[0, far].any()


@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0])
def test_the_width_of_edges_is_measured(sigma: float) -> None:
    steps = np.kron(np.random.default_rng(1).uniform(0, 255, (4, 4)), np.ones((32, 32)))
    blurred = cv2.GaussianBlur(steps, (0, 0), sigma).astype(np.uint8)
    assert edge_width(blurred) == pytest.approx(sigma, rel=0.3)
    assert edge_width(steps.astype(np.uint8)) < 0.5


def test_a_picture_without_edges_is_not_called_blurred() -> None:
    assert edge_width(np.full((64, 64), 90, np.uint8)) == 0
