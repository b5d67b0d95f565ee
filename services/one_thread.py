"""Processes of which several work at once compute on one thread each."""

from __future__ import annotations

import cv2
from threadpoolctl import threadpool_limits


def compute_on_one_thread() -> None:
    """For this process and good: OpenCV, and NumPy's linear algebra as far as it is loaded, start no threads.

    Those of OpenBLAS spin while they wait: products of a few hundred rows cost a core that others need, for no time.
    """
    cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")
