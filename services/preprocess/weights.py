"""How much of an effect to show in each row of a track: less towards its ends and in poses that cannot look right."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.preprocess.recording import Run

Array = NDArray[np.float64]

_FADE_FRAMES: Final = 4
_YAW: Final = (np.radians(35.0), np.radians(50.0))


def run_weight(run: Run, shot: tuple[int, int]) -> Array:
    """(rows,) 1, fading to 0 over four frames where the run starts or ends within its shot."""
    up = np.arange(1, run.rows + 1) / (_FADE_FRAMES + 1)
    rising = np.ones(run.rows) if run.first_frame <= shot[0] else np.minimum(up, 1)
    falling = np.ones(run.rows) if run.last_frame >= shot[1] else np.minimum(up[::-1], 1)
    return np.minimum(rising, falling)


def pose_weight(pose: Array) -> Array:
    """(rows,) 1 up to 35 degrees of yaw, 0 from 50 degrees on, smooth between."""
    yaw = np.abs(np.arctan2(pose[:, 0, 2], pose[:, 2, 2]))
    return _falling(yaw, *_YAW)


def _falling(values: Array, full: float, none: float) -> Array:
    """1 up to `full`, 0 from `none` on, smooth between; `none` may be the smaller."""
    share = np.clip((none - values) / (none - full), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))
