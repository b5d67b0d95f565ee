"""What one installation accepts, and for how long it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.errors import ChorusError, ErrorKind
from services.file_endings import AUDIO_SUFFIXES, PICTURE_SUFFIXES


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is accepted, and for how long it is kept."""

    max_upload_bytes: int
    max_minutes: float
    retention_days: float
    """Finished jobs and unused uploads are deleted after that many days; 0 keeps them"""
    audio_suffixes: Sequence[str] = AUDIO_SUFFIXES
    picture_suffixes: Sequence[str] = PICTURE_SUFFIXES

    def check_length(self, name: str, seconds: float) -> None:
        """INVALID_INPUT when a recording is longer than this installation accepts."""
        if seconds > self.max_minutes * 60:
            raise ChorusError(
                ErrorKind.INVALID_INPUT, "too-long", name=name, minutes=seconds / 60, limit=self.max_minutes
            )
