"""Landmarks of the one face of a video, measured anew on every frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.preprocess.detection import detect, whole_view
from services.preprocess.landmarks import find_landmarks, square_of_detection, square_of_landmarks
from tests.quality.onnx_models import OnnxModels

_SETTLE = 3
"""Looks at a newly found face before the square around it has settled"""


class FaceMeter:
    """Follows a face from frame to frame; no smoothing, no filling: a missed face is a missed face."""

    def __init__(self, models: OnnxModels) -> None:
        self._models = models
        self._last: NDArray[np.float32] | None = None

    def measure(self, frame: Frame) -> NDArray[np.float32]:
        """(478, 3) in pixels of the frame; NaN when no face is found."""
        if self._last is None:
            faces = detect(frame, [whole_view(frame.width, frame.height)], self._models)
            squares = [square_of_detection(face) for face in faces[:1]]
        else:
            squares = [square_of_landmarks(self._last)]
        for _ in range(_SETTLE if self._last is None else 1):
            self._last = next(iter(find_landmarks([(frame, square) for square in squares], self._models)), None)
            squares = [] if self._last is None else [square_of_landmarks(self._last)]
        return np.full((478, 3), np.nan, np.float32) if self._last is None else self._last
