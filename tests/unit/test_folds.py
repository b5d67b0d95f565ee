"""The folds of a smile: softened as lips come together, grain and light kept, and nothing beyond the cheeks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Frame
from services.render.edits.folds import SoftFolds
from services.render.families.default.smile import soft_folds
from tests.unit.test_reposing import LAYOUTS, same_bits, to_face, wavy_frame

UNIT = 160.0
SIZE = 320, 240


def folded(bit_depth: int, step: tuple[int, int], *, grain: float = 0.0) -> Frame:
    """A bright cheek with a dark fold .02 face units wide at x = .35 on both sides, brighter to the right."""
    frame = wavy_frame(bit_depth, step, size=SIZE)
    random = np.random.default_rng(1)
    for plane, across in zip(frame.planes, (1, step[0], step[0]), strict=True):
        x = ((np.arange(plane.shape[1]) + 0.5) * across - 160) / UNIT
        line = 140 + 20 * x - 40 * np.exp(-(((np.abs(x) - 0.35) / 0.02) ** 2))
        plane[...] = np.rint((line + grain * random.normal(size=plane.shape)) * (1 << (bit_depth - 8)))
    return frame


def depth_of(frame: Frame) -> float:
    """Of the right fold in luma between nose and mouth, in levels of 8 bits."""
    row = np.asarray(frame.y[82:92].mean(axis=0), np.float64) / (1 << (frame.bit_depth - 8))
    fold = 160 + round(0.35 * UNIT)
    return float((row[fold - 12] + row[fold + 12]) / 2 - row[fold])


@pytest.mark.parametrize(("bit_depth", "step"), LAYOUTS)
def test_a_fold_loses_its_share_and_the_light_stays(bit_depth: int, step: tuple[int, int]) -> None:
    frame, before = folded(bit_depth, step), folded(bit_depth, step)
    SoftFolds(0.65, (-0.8, 0.8)).soften(frame, to_face(unit=UNIT))
    assert 0.3 * depth_of(before) < depth_of(frame) < 0.7 * depth_of(before)
    cheeks = np.s_[60:150, 190:240]
    assert frame.y[cheeks].mean() == pytest.approx(before.y[cheeks].mean(), rel=0.02)
    assert (frame.y[:, 150:170] == before.y[:, 150:170]).all(), "nose and lips"


def test_grain_stays() -> None:
    frame, before = folded(8, (2, 2), grain=5), folded(8, (2, 2), grain=5)
    SoftFolds(0.65, (-0.8, 0.8)).soften(frame, to_face(unit=UNIT))
    grain = [np.diff(one.y[90:130, 195:205].astype(float), axis=0).std() for one in (before, frame)]
    assert grain[1] == pytest.approx(grain[0], rel=0.1)


def test_beyond_the_cheeks_nothing_changes() -> None:
    frame, before = folded(8, (1, 1)), folded(8, (1, 1))
    SoftFolds(0.65, (-0.8, 0.3)).soften(frame, to_face(unit=UNIT))
    assert depth_of(frame) == depth_of(before)
    assert (frame.y[:, :160] != before.y[:, :160]).any(), "the left cheek is as it was"
    far = np.array([[0.01, 0, 90.0], [0, 0.01, 90.0]])
    away = folded(8, (1, 1))
    SoftFolds(0.65, (-0.8, 0.8)).soften(away, far)
    assert same_bits(away, before)


def face(half_width: float, opening: float) -> NDArray[np.float64]:
    rest = np.zeros((478, 2))
    rest[[61, 291], 0] = -half_width, half_width
    rest[[13, 14], 1] = -opening / 2, opening / 2
    rest[[132, 58, 361, 288], 0] = -0.6, -0.55, 0.6, 0.55
    return rest


def test_only_a_smile_whose_lips_come_together_loses_its_folds() -> None:
    shut, opened, faint = (
        soft_folds(face(0.37, 0.08), opening, weight) for opening, weight in ((0, 1), (0.1, 1), (0, 0.4))
    )
    assert shut is not None
    assert opened is not None
    assert faint is not None
    assert shut.share == pytest.approx(4 * opened.share)
    assert faint.share == pytest.approx(0.4 * shut.share)
    assert shut.ends == (-0.55, 0.55)
    for other in (face(0.30, 0.08), face(0.37, 0.0)):
        assert soft_folds(other, 0, 1) is None, "no smile, or one with lips that touch anyway"
