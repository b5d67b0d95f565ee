"""Signals of high dynamic range made from light, the other way than services/media/tone_mapping.py goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Light = NDArray[np.float64]

# ITU-R BT.2087, linear BT.709 to linear BT.2020.
_TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593])


def to_bt2020(light: Light) -> Light:
    """(..., 3) linear BT.709 as BT.2020."""
    return np.asarray(light @ _TO_BT2020.T)


def hlg_of(light: Light) -> Light:
    """HLG signals of (..., 3) cd/m2 in BT.2020 on a display of 1000 cd/m2."""
    luminance = (light / 1000) @ _LUMINANCE
    scene = light / 1000 * np.maximum(luminance[..., None], 1e-9) ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    high = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * np.maximum(scene, 0)), high).clip(0, 1))


def pq_of(light: Light) -> Light:
    """PQ signals of (..., 3) cd/m2."""
    power = (np.maximum(light, 0) / 10000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)
