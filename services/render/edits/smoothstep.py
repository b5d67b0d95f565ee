"""Shares that begin and end softly."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", float, NDArray[np.float32], NDArray[np.float64])


def smoothstep(value: Value) -> Value:
    """0 up to 0, 1 from 1 on, smooth between: a number, or every number of an array."""
    inside: Any = np.clip(value, 0, 1)
    return inside * inside * (3 - 2 * inside)  # type: ignore[no-any-return]
