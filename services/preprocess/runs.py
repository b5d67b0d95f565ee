"""Stretches of frames in which a track was seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive frames of one track; their rows follow each other in its landmark file."""

    first_frame: int
    first_row: int
    rows: int

    @property
    def last_frame(self) -> int:
        """Included."""
        return self.first_frame + self.rows - 1
