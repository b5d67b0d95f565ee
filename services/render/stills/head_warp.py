"""Moves the head in a photo: one smooth warp of its surroundings, which the edges of the picture do not feel."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame
from services.render.stills.fine_plane import FinePlane, sample_smooth

Array = NDArray[np.floating[Any]]
Points = NDArray[np.float64]

_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_EARS: Final = (234, 454)
_CROWN, _SIDES = 1.5, 1.2
"""The head with its hair, against the face's oval"""
_REACH: Final = 1.5
"""Face units beyond the head within which everything else moves along, ever less"""
_NECK: Final = 1.7
"""Face units below the eyes, where the head rolls about"""
_BLEND: Final = 0.15
"""Face units over which depth is smooth"""
_CELLS: Final = 14
"""Cells of the grid a face unit"""
_STEEPEST: Final = 0.07
"""Most stretching of what is next to the head"""


class HeadWarp:
    """The head in one photo, and how far every pixel near it follows when the head moves."""

    def __init__(self, frame: Frame, points: Points, largest: Points) -> None:
        """`points` are the face's (478, 3) landmarks in pixels of `frame`; `largest` (5,) bounds the sway."""
        unit = float(np.linalg.norm(points[263] - points[33]))
        self._step = max(4, 4 * round(unit / _CELLS / 4))
        head = _head_outline(points)
        self._rectangle = _surroundings(frame, head, _REACH * unit)
        left, top, right, bottom = self._rectangle
        # One cell more on each side, so that the picture's edge lies between two cells.
        cells = (bottom - top - 1) // self._step + 3, (right - left - 1) // self._step + 3
        self._grid = np.stack(
            np.meshgrid(
                left + self._step * (np.arange(cells[1]) - 0.5), top + self._step * (np.arange(cells[0]) - 0.5)
            ),
            axis=-1,
        )
        follow = _following(frame, head, self._grid, unit)
        relief = _relief(points, self._grid, self._step, _BLEND * unit) * follow
        self._fields = _fields(points, self._grid, follow, relief, unit)
        self._fields[..., :3] *= _bearable(self._fields[..., :3] * largest[:3], self._step)
        self._luma = FinePlane(frame.y[top:bottom, left:right], frame.bit_depth)

    def move(self, frame: Frame, sway: Points) -> None:
        """Warp `frame`, the photo with its new mouth and lids, in place by the (5,) `sway` of motion_curves."""
        left, top, right, bottom = self._rectangle
        source = (self._grid - self._fields @ sway - (left, top)).astype(np.float32)
        luma = frame.y[top:bottom, left:right]
        self._luma.follow(luma)
        luma[...] = self._luma.sample(*self._positions(2 * source - 1, 1, 1))
        across, down = frame.chroma_step
        chroma = [plane[top // down : bottom // down, left // across : right // across] for plane in (frame.u, frame.v)]
        in_chroma = np.asarray(source / (across, down) - 0.5, np.float32)
        moved = sample_smooth(chroma, frame.bit_depth, *self._positions(in_chroma, across, down))
        for part, samples in zip(chroma, moved, strict=True):
            part[...] = samples

    def _positions(self, source: NDArray[np.float32], across: int, down: int) -> list[NDArray[np.float32]]:
        """x and y of each sample of a plane from those of the grid's cells."""
        left, top, right, bottom = self._rectangle
        step_x, step_y = self._step // across, self._step // down
        size = source.shape[1] * step_x, source.shape[0] * step_y
        part = np.s_[step_y : step_y + (bottom - top) // down, step_x : step_x + (right - left) // across]
        grown = (cv2.resize(source[..., axis], size, interpolation=cv2.INTER_LINEAR) for axis in (0, 1))
        return [np.asarray(positions[part], np.float32) for positions in grown]


def _axes(points: Points) -> tuple[Points, Points, Points]:
    """Middle of the eyes, unit vector along them, unit vector down the face."""
    first, last = points[33, :2], points[263, :2]
    along = (last - first) / np.linalg.norm(last - first)
    return (first + last) / 2, along, np.array([-along[1], along[0]])


def _head_outline(points: Points) -> Points:
    """(p, 2) corners of a polygon round the head and its hair."""
    _, along, down = _axes(points)
    oval = points[list(_OVAL), :2]
    middle = oval.mean(axis=0)
    sideways, upright = (oval - middle) @ along, (oval - middle) @ down
    upright = np.where(upright < 0, _CROWN, 1.05) * upright
    outline: Points = middle + _SIDES * sideways[:, None] * along + upright[:, None] * down
    return outline


def _surroundings(frame: Frame, head: Points, reach: float) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (excluded) of what can move, in whole chroma samples."""
    steps = np.array(frame.chroma_step)
    limits = np.array([frame.width, frame.height])
    first = np.clip(np.floor((head.min(axis=0) - reach) / steps) * steps, 0, limits).astype(int)
    last = np.clip(np.ceil((head.max(axis=0) + reach) / steps) * steps, 0, limits).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def _following(frame: Frame, head: Points, grid: Points, unit: float) -> Points:
    """(rows, columns) 1 on the head, falling to 0 towards the reach and the picture's edges."""
    step = float(grid[0, 1, 0] - grid[0, 0, 0])
    corner = grid[0, 0] - step / 2
    within = np.zeros(grid.shape[:2], np.uint8)
    cv2.fillPoly(within, [np.rint((head - corner) / step - 0.5).astype(np.int32)], 1)
    limits = np.array([frame.width, frame.height])
    inside = np.minimum(grid, limits - grid).min(axis=2)
    within[inside < 0.5 * unit] = 0
    if not within.any():
        return np.zeros(grid.shape[:2])
    beyond = cv2.distanceTransform(1 - within, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * step
    left = np.minimum(inside, _REACH * unit - beyond).clip(0)
    share = left / (left + beyond + 1e-9)
    follow = share**3 * (10 - 15 * share + 6 * share**2)
    smooth = cv2.GaussianBlur(follow, (0, 0), 0.12 * unit / step, borderType=cv2.BORDER_REPLICATE)
    edge = np.clip((left - step) / max(0.4 * unit, 2 * step), 0, 1)
    return np.asarray(smooth * edge * edge * (3 - 2 * edge))


def _relief(points: Points, grid: Points, step: int, blend: float) -> Points:
    """(rows, columns) how far the face stands before the ears, in pixels, smoothed."""
    depth = np.maximum(points[list(_EARS), 2].mean() - points[:, 2], 0)
    cells = np.floor((points[:, :2] - grid[0, 0]) / step + 0.5).astype(int)
    rows, columns = grid.shape[:2]
    seen = ((cells >= 0) & (cells < (columns, rows))).all(axis=1)
    total, count = np.zeros((2, rows, columns))
    np.add.at(total, (cells[seen, 1], cells[seen, 0]), depth[seen])
    np.add.at(count, (cells[seen, 1], cells[seen, 0]), 1)
    near, weight = (cv2.GaussianBlur(part, (0, 0), blend / step) for part in (total, count))
    return np.asarray(near / (weight + 0.2 * np.median(weight[weight > 1e-3 * weight.max()])))


def _fields(points: Points, grid: Points, follow: Points, relief: Points, unit: float) -> Points:
    """(rows, columns, 2, 5): pixels that each cell moves for one unit of each kind of sway."""
    eyes, along, down = _axes(points)
    arm = grid - (eyes + _NECK * unit * down)
    turned = np.stack([-arm[..., 1], arm[..., 0]], axis=-1)
    weighted, deep = follow[..., None], relief[..., None]
    return np.stack([weighted * unit * along, weighted * unit * down, weighted * turned, deep * along, deep * down], -1)


def _bearable(moving: Points, step: int) -> float:
    """The share of the largest motion (rows, columns, 2, kinds) that stretches nothing round the head too much."""
    slopes = [np.square(np.diff(moving, axis=axis) / step).sum(axis=(2, 3)).max() for axis in (0, 1)]
    return min(1.0, _STEEPEST / max(float(np.sqrt(max(slopes))), 1e-9))
