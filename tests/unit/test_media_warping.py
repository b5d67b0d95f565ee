"""Parts of planes at smaller sizes: where they lie, and that all of what they cover counts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.media.warping import warped_plane

SIZE = (40, 30)
SCALES = [0.5, 1.0, 1.6, 2.3, 2.7, 3.5, 5.2, 9.0]


def to_plane(scale: float, angle: float, middle: tuple[float, float]) -> NDArray[np.float64]:
    """Samples -> plane: a part of SIZE with its middle there."""
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, np.array(middle) - linear @ (np.array(SIZE) / 2)])


def places(affine: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where in the plane the middles of the samples lie."""
    across, down = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    x, y = np.tensordot(affine[:, :2], np.stack([across, down]), 1) + affine[:, 2, None, None]
    return x, y


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_a_ramp_stays_where_it_is(scale: float, angle: float) -> None:
    # So steep that rounding hides no shift of a part of a pixel.
    steep = 20
    x, y = np.meshgrid(np.arange(520) + 0.5, np.arange(480) + 0.5)
    plane = np.round(steep * (x + y)).astype(np.uint16)
    affine = to_plane(scale, angle, (262.3, 239.6))
    off = warped_plane(plane, affine, SIZE).astype(float) - steep * sum(places(affine))
    assert abs(off.mean()) < 0.1 * steep
    assert np.abs(off).max() < 0.25 * steep  # OpenCV interpolates in steps of 1/32


@pytest.mark.parametrize("scale", SCALES)
def test_noise_falls_as_the_pixels_of_a_sample_grow(scale: float) -> None:
    noise = np.random.default_rng(2).normal(128, 20, (480, 520)).clip(0, 255).astype(np.uint8)
    left = warped_plane(noise, to_plane(scale, 0.2, (260, 240)), SIZE).std() / 20
    assert left < 1.25 / max(scale, 1)


def test_edge_pixels_go_on_outside() -> None:
    plane = np.full((200, 200), 90, np.uint8)
    plane[:, :100] = 30
    for scale in SCALES:
        assert (warped_plane(plane, to_plane(scale, 0, (-1000, 100)), SIZE) == 30).all()
        assert (warped_plane(plane, to_plane(scale, 0, (1200, -900)), SIZE) == 90).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 2), (17, 29)])
def test_tiny_planes_can_be_warped(shape: tuple[int, int]) -> None:
    plane = np.full(shape, 70, np.uint8)
    for scale in SCALES:
        assert (warped_plane(plane, to_plane(scale, 0.3, (shape[1] / 2, shape[0] / 2)), SIZE) == 70).all()
