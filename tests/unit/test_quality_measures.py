"""The judge's own measures on series and pictures whose figures are known."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.quality import mouth_measures as measure
from tests.quality import pixel_measures as pixels

RATE = Fraction(25)


def series(*shut: tuple[int, int], frames: int = 100) -> NDArray[np.float64]:
    """An opening of .08 that is .002 on the frames start .. stop - 1."""
    opening = np.full(frames, 0.08)
    for start, stop in shut:
        opening[start:stop] = 0.002
    return opening


def test_closures_count_when_the_lips_are_shut_in_their_middle() -> None:
    closures = [(0.40, 0.48), (1.20, 1.30), (9.0, 9.1)]
    assert measure.closures_met(series((10, 12)), closures, RATE).tolist() == [True, False]


def test_shut_lips_without_a_closure_are_wrong_and_pauses_do_not_count() -> None:
    voiced = np.ones(100, np.bool_)
    voiced[70:90] = False
    opening = series((10, 12), (40, 42), (60, 95))
    assert measure.shut_rightly(opening, voiced, [(0.40, 0.48)], RATE).tolist() == [True, False]


def test_lag_is_found_where_the_mouth_is_late() -> None:
    wanted = np.random.default_rng(0).random(200)
    correlation, lag = measure.best_correlation(np.roll(wanted, 2), wanted)
    assert lag == 2
    assert correlation > 0.99


def faces(frames: int, shake: float, nod: float = 0.0) -> NDArray[np.float32]:
    """Landmarks of one face; `shake` moves the lips to and fro, `nod` the whole head, in eye distances."""
    points = np.random.default_rng(1).uniform(100, 300, (478, 3))
    points[[33, 263]] = [[150, 150, 0], [250, 150, 0]]
    moving = np.repeat(points[None], frames, 0)
    moving[1::2, list(measure.LIPS), 1] += 100 * shake
    moving[1::2, :, 1] += 100 * nod
    return moving.astype(np.float32)


@pytest.mark.parametrize("shake", [0.0, 0.004])
def test_lips_move_against_the_head_and_not_with_it(shake: float) -> None:
    assert measure.lip_movement(faces(20, shake, nod=0.1)) == pytest.approx(shake, abs=1e-5)


def test_tremble_is_what_nobody_asked_for() -> None:
    wanted = 0.05 + 0.04 * np.sin(np.arange(200) / 4)
    assert measure.tremble(0.9 * wanted, wanted) < 1e-6
    restless = 0.9 * wanted + 0.003 * (-1.0) ** np.arange(200)
    assert measure.tremble(restless, wanted) == pytest.approx(0.006, rel=0.05)


def close_up(gap: int, inside: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Skin, lips, and between the lips a gap of so many pixels."""
    picture = np.full((192, 192, 3), (200, 150, 125), np.uint8)
    cv2.ellipse(picture, (96, 86 + gap // 2), (40, 12 + gap // 2), 0, 0, 360, (180, 100, 100), cv2.FILLED)
    cv2.rectangle(picture, (70, 84), (122, 84 + gap), inside, cv2.FILLED)
    return picture


@pytest.mark.parametrize("inside", [(40, 15, 15), (215, 212, 205)], ids=["cavity", "teeth"])
def test_pixels_tell_how_far_a_mouth_is_open(inside: tuple[int, int, int]) -> None:
    shares = [pixels.visible_inside(close_up(gap, inside)) for gap in (0, 5, 10, 20)]
    assert shares[0] < 0.05
    assert (np.diff(shares) > 0.05).all()


def test_sharpness_falls_with_a_blur_and_does_not_see_between_the_lips() -> None:
    landmarks = np.full((478, 3), 200, np.float32)
    landmarks[[33, 263], :2] = [[100, 100], [300, 100]]
    angles = np.linspace(0, 2 * np.pi, 11)[:-1]
    around = 200 + 60 * np.column_stack([np.cos(angles), np.sin(angles)])
    landmarks[[2, 186, 410, 57, 287, 43, 273, 204, 424, 200], :2] = around
    grain = np.random.default_rng(2).integers(0, 256, (400, 400), dtype=np.uint8)
    sharp = pixels.mouth_sharpness(grain, landmarks)
    assert pixels.mouth_sharpness(cv2.GaussianBlur(grain, (0, 0), 0.8).astype(np.uint8), landmarks) < 0.5 * sharp
    hidden = grain.copy()
    hidden[199:202, 199:202] = 255
    assert pixels.mouth_sharpness(hidden, landmarks) == pytest.approx(sharp, rel=0.01)
