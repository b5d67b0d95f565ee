"""What lies on the columns of a recording, read at any time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import MEL_RATE


def columns_at(values: NDArray[np.float32], seconds: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(m, n) between the columns (columns, n) at each of m times."""
    last = len(values) - 1
    position = np.minimum(seconds * MEL_RATE, last)
    before = position.astype(np.int64)
    share = (position - before)[:, None]
    between: NDArray[np.float32] = values[before] * (1 - share) + values[np.minimum(before + 1, last)] * share
    return between.astype(np.float32)
