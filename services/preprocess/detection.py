"""Finds faces in a whole frame with the face_detection model: views, suppression of doubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from services.preprocess.crops import Picture

_SIDE: Final = 192
_LEAST_SCORE: Final = 0.5
_OVERLAP: Final = 0.3
_TILE_STEP: Final = 0.65


class Inference(Protocol):
    """The one method of services.triton.TritonClient that preprocess needs."""

    def infer(
        self, model: str, inputs: dict[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]: ...


@dataclass(frozen=True, slots=True)
class Detection:
    """One face in one frame, in source pixels."""

    box: NDArray[np.float64]
    """(4,) left, top, right, bottom"""
    keypoints: NDArray[np.float64]
    """(6, 2): the eye on the image's left, the other eye, nose tip, mouth, the two ears"""
    score: float


@dataclass(frozen=True, slots=True)
class View:
    """A square of the frame that the model looks at; it may reach beyond the frame, which is black there."""

    left: float
    top: float
    side: float
    quarter_turns: int = 0
    """Against the clock, before the model looks: it finds no faces that lie or stand on their heads"""


def detect(picture: Picture, views: Sequence[View], triton: Inference, *, roughly: bool = False) -> list[Detection]:
    """Faces that at most 16 views of a frame show, best first; some of them are none: see landmarks.py.

    `roughly` takes a tenth of the time for a view: enough to see whether anybody is there, a hair aside.
    """
    if not views:
        return []
    images = np.stack([_view_image(picture, view, roughly) for view in views])
    answer = triton.infer("face_detection", {"image": images}, ["boxes", "keypoints", "scores"])
    detections = []
    for row, view in enumerate(views):
        corner = np.array([view.left, view.top])
        for index in np.flatnonzero(answer["scores"][row] > _LEAST_SCORE):
            points = np.concatenate([answer["boxes"][row, index].reshape(2, 2), answer["keypoints"][row, index]])
            placed = _turned_back(points.astype(np.float64), view.quarter_turns) * view.side + corner
            box = np.concatenate([placed[:2].min(axis=0), placed[:2].max(axis=0)])
            detections.append(Detection(box, placed[2:], float(answer["scores"][row, index])))
    return suppress(detections)


def whole_view(width: int, height: int) -> View:
    """The whole frame, letterboxed."""
    side = max(width, height)
    return View((width - side) / 2, (height - side) / 2, side)


def turned_views(width: int, height: int) -> list[View]:
    """The whole frame turned in the three other ways."""
    return [replace(whole_view(width, height), quarter_turns=turns) for turns in (1, 2, 3)]


def tile_views(width: int, height: int) -> list[View]:
    """Overlapping squares that cover the frame, at most 15; none when they would not enlarge anything."""
    side = max(min(width, height) / 2, max(width, height) / 3.5)
    if side <= _SIDE / 2:
        return []
    return [View(left, top, side) for top in _starts(height, side) for left in _starts(width, side)]


def suppress(detections: Sequence[Detection]) -> list[Detection]:
    """The best detections, best first, without those that overlap a better one."""
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda detection: -detection.score):
        if all(overlap(candidate.box, other.box) < _OVERLAP for other in kept):
            kept.append(candidate)
    return kept


def overlap(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    both = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]))
    return shared / (both - shared) if both > shared else 0.0


def _starts(size: int, side: float) -> NDArray[np.float64]:
    """Evenly spaced left (or top) edges of tiles over `size` pixels."""
    count = 1 + int(np.ceil(max(size - side, 0) / (_TILE_STEP * side)))
    return np.linspace(0, max(size - side, 0), count)


def _view_image(picture: Picture, view: View, roughly: bool) -> NDArray[np.uint8]:
    """(192, 192, 3): the view, black outside the frame."""
    width, height = picture.width, picture.height
    left, top = max(round(view.left), 0), max(round(view.top), 0)
    right, bottom = min(round(view.left + view.side), width), min(round(view.top + view.side), height)
    image = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    if right <= left or bottom <= top:
        return image
    scale = _SIDE / view.side
    # The rounded edge can lie a little outside the view.
    x, y = (min(max(round(offset * scale), 0), _SIDE - 1) for offset in (left - view.left, top - view.top))
    size = (
        min(max(round((right - left) * scale), 1), _SIDE - x),
        min(max(round((bottom - top) * scale), 1), _SIDE - y),
    )
    image[y : y + size[1], x : x + size[0]] = picture.rgb_shrunk(left, top, right, bottom, size, halving=roughly)
    return np.rot90(image, view.quarter_turns)


def _turned_back(points: NDArray[np.float64], quarter_turns: int) -> NDArray[np.float64]:
    """(n, 2) points of a turned view, 0..1, as they lie in the view before it was turned."""
    for _ in range(quarter_turns):
        points = np.column_stack([1 - points[:, 1], points[:, 0]])
    return points
