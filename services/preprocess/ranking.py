"""Which faces matter: ranks the tracks of each shot, and says which track a frame uses. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SHARED_RANK_SIZE: Final = 0.5
"""A face this much smaller than the first of its rank is somebody in the background, not the speaker again"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What counts for the rank of one track."""

    shot: int
    first_frame: int
    last_frame: int
    eye_distance: float
    box: tuple[float, float, float, float]


def rank_tracks(candidates: Sequence[Candidate], width: int, height: int) -> list[int]:
    """The rank of every track within its shot, 0 the largest and most central.

    Tracks that are never seen together share a rank, for mostly they are one person who was out of sight for a while.
    """
    ranks = [0] * len(candidates)
    by_prominence = sorted(range(len(candidates)), key=lambda index: -_prominence(candidates[index], width, height))
    leaders: dict[tuple[int, int], list[Candidate]] = {}
    for index in by_prominence:
        candidate = candidates[index]
        rank = 0
        while not _fits(candidate, leaders.setdefault((candidate.shot, rank), [])):
            rank += 1
        leaders[candidate.shot, rank].append(candidate)
        ranks[index] = rank
    return ranks


def frame_rows(
    tracks: Sequence[tuple[int, Sequence[tuple[int, int, int]]]], frames: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """For every source frame the track to use and its row; -1 where there is none.

    `tracks` gives (track number, runs as (first frame, first row, rows)) of the chosen rank.
    """
    track_of, row_of = np.full(frames, -1, np.int32), np.full(frames, -1, np.int32)
    for number, runs in tracks:
        for first_frame, first_row, rows in runs:
            track_of[first_frame : first_frame + rows] = number
            row_of[first_frame : first_frame + rows] = np.arange(first_row, first_row + rows)
    return track_of, row_of


def _prominence(candidate: Candidate, width: int, height: int) -> float:
    """Eye distance, less for a face at the picture's edge, a little more for one that stays."""
    left, top, right, bottom = candidate.box
    apart = np.hypot((left + right) / width - 1, (top + bottom) / height - 1) / np.sqrt(2)
    staying = np.log2(2 + candidate.last_frame - candidate.first_frame)
    return float(candidate.eye_distance * (1 - 0.5 * min(apart, 1)) * (1 + 0.05 * staying))


def _fits(candidate: Candidate, sharing: Sequence[Candidate]) -> bool:
    if not sharing:
        return True
    if candidate.eye_distance < _SHARED_RANK_SIZE * sharing[0].eye_distance:
        return False
    return all(
        candidate.last_frame < other.first_frame or candidate.first_frame > other.last_frame for other in sharing
    )
