"""What one installation accepts, and for how long it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.accepted_files import AUDIO_SUFFIXES, MAX_FRAME_RATE, MAX_SIDE, MIN_SIDE, PICTURE_SUFFIXES
from services.errors import ChorusError, ErrorKind

BATCH_VIDEOS: Final = 500
"""Videos of one batch"""
PAGE_ITEMS: Final = 500
"""Items of one page of a list"""
CALL_IDS: Final = 500
"""Ids in one call that deletes or packs"""
ID_LENGTH: Final = 64
NAME_LENGTH: Final = 200
"""Letters of an idempotency key, and of a part of a name that is searched"""
LARGEST_OFFSET: Final = 1 << 31
"""Items of a list that can be passed over"""
LEAST_RETENTION_DAYS: Final = 1
MOST_RETENTION_DAYS: Final = 3650
"""Days that things may be kept, if they are to be deleted by themselves at all"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is accepted, and for how long it is kept."""

    max_upload_bytes: int
    max_minutes: float
    retention_days: float
    """As the environment says, see RetentionRule: finished jobs and unused uploads are deleted after that many days; 0
    keeps them"""
    audio_suffixes: Sequence[str] = AUDIO_SUFFIXES
    picture_suffixes: Sequence[str] = PICTURE_SUFFIXES
    batch_videos: int = BATCH_VIDEOS
    page_items: int = PAGE_ITEMS
    call_ids: int = CALL_IDS
    """Ids in one call that deletes or packs"""
    least_side: int = MIN_SIDE
    largest_side: int = MAX_SIDE
    """Pixels of a video's sides; a photo's may be twice as long"""
    most_frames_per_second: float = float(MAX_FRAME_RATE)
    """Faster videos are thinned out"""
    queued_jobs: int = 20_000
    """Jobs of the whole installation that may wait"""
    owner_bytes: int = 0
    """Uploads and outputs that one owner may have, bytes; 0: no bound. Not for admins, as the next"""
    owner_jobs: int = 0
    """Jobs of one owner that may wait or run; 0: no bound"""
    least_free_bytes: int = 0
    """Room that uploads and new batches leave on a disk for what runs; 0: none"""

    def check_length(self, name: str, seconds: float) -> None:
        """INVALID_INPUT when a recording is longer than this installation accepts."""
        if seconds > self.max_minutes * 60:
            raise ChorusError(
                ErrorKind.INVALID_INPUT, "too-long", name=name, minutes=seconds / 60, limit=self.max_minutes
            )


def check_ids(ids: Sequence[str]) -> None:
    """INVALID_INPUT for more ids than one call takes."""
    if len(ids) > CALL_IDS:
        raise ChorusError(ErrorKind.INVALID_INPUT, "too-many-ids", limit=CALL_IDS, number=len(ids))
