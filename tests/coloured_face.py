"""A drawn face with the landmarks that go with it, for tests of what is read of a face's colours."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.preprocess.complexion import read_colours
from services.preprocess.face_picture import take_face
from services.preprocess.faces import LANDMARKS
from tests.shown_picture import ShownPicture

Picture = NDArray[np.uint8]
SKIN, LIPS = (205, 160, 135), (185, 95, 95)
_LIP_LINES = (0, 13, 14, 17, 37, 82, 84, 87, 267, 312, 314, 317, 39, 81, 181, 178, 269, 311, 405, 402, 40, 80, 91, 88)


def face() -> NDArray[np.float32]:
    """(478, 3): eyes at 80, the mouth round (100, 140), every point of the upper face above 120."""
    random = np.random.default_rng(4)
    points = np.column_stack(
        [random.uniform(60, 140, LANDMARKS), random.uniform(150, 185, LANDMARKS), np.zeros(LANDMARKS)]
    )
    points[33], points[263], points[234], points[454] = (65, 80, 0), (135, 80, 0), (45, 90, 60), (155, 90, 60)
    points[10], points[152] = (100, 45, 0), (100, 195, 0)
    for index in (164, 167, 393, 165, 391, 2):
        points[index] = (random.uniform(80, 120), 124, -10)
    upper = (
        50,
        280,
        101,
        330,
        118,
        347,
        36,
        266,
        205,
        425,
        6,
        197,
        195,
        5,
        198,
        420,
        151,
        9,
        108,
        337,
        123,
        352,
        187,
        411,
    )
    for index in upper:
        points[index] = (random.uniform(60, 140), random.uniform(55, 110), -5)
    for index in _LIP_LINES:
        points[index] = (random.uniform(82, 118), random.uniform(136, 144), -10)
    return points.astype(np.float32)


def clipped(values: NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def drawn(index: int) -> Picture:
    """Skin with soft shading and noise, and lips."""
    picture = np.empty((240, 200, 3))
    picture[:] = SKIN
    picture[134:147, 78:122] = LIPS
    shade = 1 - 0.25 * np.linspace(-1, 1, 200)[None, :, None] ** 2
    return clipped(picture * shade + 3 * noise(index))


@cache
def _one_noise() -> NDArray[np.float64]:
    return np.random.default_rng(8).normal(size=(240, 200, 3))


def noise(index: int) -> NDArray[np.float64]:
    """(240, 200, 3) of variance 1, another one for each index."""
    return np.roll(_one_noise(), 17 * index, axis=(0, 1))


def look(picture: ShownPicture, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(POINTS, 3), as an analysis reads them."""
    return read_colours(take_face(picture, landmarks), landmarks)
