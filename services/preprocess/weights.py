"""How much of an effect to show in each row of a track: less towards its ends, and where it cannot look right."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.preprocess.runs import Run
from services.preprocess.smoothing import gaussian_smoothed, running_median

Array = NDArray[np.float64]

_FADE_FRAMES: Final = 4
# Full effect, and none. The mesh sees four fifths of a turn: drawn heads that turn by 35 and 50 degrees measure 28 and
# 39 (four faces), a photographed one at 45 measures 42, and there the far corner of the mouth is still found and the
# silhouette keeps its place. Unturned they measure a pitch of 6 to 14; heads that look 30 and 45 degrees down 32 to 39
# and 40 to 46, heads that look 30 and 45 degrees up -9 to -17 and -20 to -28.
_YAW: Final = (38.0, 48.0)
_DOWN: Final = (35.0, 46.0)
_UP: Final = (15.0, 28.0)
_EYE_DISTANCE: Final = (25.0, 17.0)
"""Pixels; the lips of a smaller face are a few pixels high"""
_BLUR: Final = (0.025, 0.04)
"""As complexion.py measures a picture blurred by 0.035 and by 0.055 eye distances; sharp ones are below 0.016"""
_BLUR_WINDOW: Final = 9
_UNDECIDED: Final = 0.15
"""So near to one half, a weight does not end what was shown before, or the mouth would blink"""
_SETTLING_ROWS: Final = 1.5


def run_weight(run: Run, shot: tuple[int, int]) -> Array:
    """(rows,) 1, fading to 0 over four frames where the run starts or ends within its shot."""
    up = np.arange(1, run.rows + 1) / (_FADE_FRAMES + 1)
    rising = np.ones(run.rows) if run.first_frame <= shot[0] else np.minimum(up, 1)
    falling = np.ones(run.rows) if run.last_frame >= shot[1] else np.minimum(up[::-1], 1)
    return np.minimum(rising, falling)


def pose_weight(pose: Array) -> Array:
    """(rows,) 1 for a head that turns by up to 45 degrees aside or 30 up or down, 0 from 55 or 45 degrees on."""
    # How the head's axes point to the camera: this row of the rotation does not know of roll.
    across, down, ahead = (pose[:, 2, :3] / np.linalg.norm(pose[:, 2, :3], axis=1, keepdims=True)).T
    yaw, pitch = np.degrees(np.arctan2(-across, ahead)), np.degrees(np.arcsin(down))
    return _falling(np.abs(yaw), *_YAW) * _falling(pitch, *_DOWN) * _falling(-pitch, *_UP)


def size_weight(pose: Array) -> Array:
    """(rows,) 1, falling to 0 where the face is too small to have lips."""
    return _falling(np.linalg.norm(pose[:, :, 0], axis=1), *_EYE_DISTANCE)


def sharpness_weight(blurs: Array) -> Array:
    """(rows,) 1, falling to 0 where edges are so wide (in eye distances) for a while that lips are mere shadows."""
    return _falling(running_median(blurs, _BLUR_WINDOW), *_BLUR)


def settled(weight: Array) -> Array:
    """(rows,) all or nothing with soft edges over some rows: a mouth that stays half shown is seen double."""
    decided = np.where(np.abs(weight - 0.5) > _UNDECIDED, np.arange(len(weight)), 0)
    shown = weight[np.maximum.accumulate(decided)] >= 0.5
    return gaussian_smoothed(shown.astype(np.float64), _SETTLING_ROWS)


def _falling(values: Array, full: float, none: float) -> Array:
    """1 at `full`, 0 at `none` and beyond, smooth between; `none` may be the smaller."""
    share = np.clip((none - values) / (none - full), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))
