"""Drawn teeth: where they stand, their shapes and their softness."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.render.families.default.interior_reference import luminance
from services.render.families.default.teeth import draw_teeth


def drawn(rows: int = 128, smile: float = 0.0, blur: float = 0.003) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    white, pink = np.array([0.9, 0.88, 0.8], np.float32), np.array([0.6, 0.3, 0.3], np.float32)
    return draw_teeth(0.24, white, pink, smile, rows, blur)


@pytest.mark.parametrize("rows", [128, 256])
def test_drawn_atlases_are_in_range_and_a_little_uneven(rows: int) -> None:
    for atlas in drawn(rows):
        assert atlas.shape == (rows, 2 * rows, 4)
        assert atlas.min() >= 0
        assert atlas.max() <= 1
        sides = np.abs(atlas - atlas[:, ::-1])
        assert 0.001 < sides.mean() < 0.03, "no mouth is the same on both sides"


def test_drawn_teeth_stand_where_the_renderer_looks_for_them() -> None:
    upper, lower = drawn()
    middle = 122
    # 0.22 face units are 64 rows: the upper incisors end 0.027 below the seam, the lower ones begin at 0.008.
    assert upper[64 - 8, middle, 3] > 0.95
    assert upper[64 + 12, middle, 3] < 0.05
    assert lower[64 + 10, middle, 3] > 0.95
    assert lower[64 - 2, middle, 3] < 0.05
    assert luminance(upper[64 - 8, middle, :3]) > 1.3 * luminance(upper[10, middle, :3]), "brighter than the gum"


def test_drawn_teeth_have_edges_of_their_own() -> None:
    upper, _ = drawn(256)
    x = (np.arange(512) + 0.5) / 256 - 1
    visible = np.abs(x * 1.15 * 0.24) < 0.23
    lengths = (upper[128:, visible, 3] > 0.5).sum(axis=0)
    assert lengths.max() - lengths.min() > 10, "not one straight strip: 10 rows are 0.017 face units"
    teeth = upper[128 + 8, visible, :3].mean(axis=-1)
    darker = (teeth[1:-1] < teeth[:-2]) & (teeth[1:-1] <= teeth[2:])
    assert darker.sum() >= 4, "soft shadows between the teeth"


def test_the_arch_of_drawn_teeth_follows_a_smile() -> None:
    flat, smiling = drawn()[0], drawn(smile=-1.0)[0]
    lowest = [int(np.flatnonzero(atlas[:, 190, 3] > 0.5)[-1]) for atlas in (flat, smiling)]
    assert 1 <= lowest[0] - lowest[1] <= 6


def test_drawn_teeth_are_as_soft_as_the_footage() -> None:
    def steepest(blur: float) -> float:
        return float(np.abs(np.diff(drawn(blur=blur)[0][..., 3], axis=0)).max())

    assert steepest(0.003) > 2 * steepest(0.012)
