"""What one installation accepts and keeps, and how full its store is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.artifacts import ANALYSES
from services.gateway.partial_uploads import AUDIO_SUFFIXES, PICTURE_SUFFIXES
from services.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is accepted, and for how long it is kept."""

    max_upload_bytes: int
    max_minutes: float
    retention_days: float
    """Finished jobs and unused uploads are deleted after that many days; 0 keeps them"""
    audio_suffixes: Sequence[str] = AUDIO_SUFFIXES
    picture_suffixes: Sequence[str] = PICTURE_SUFFIXES


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """How the store is filled, bytes."""

    uploads_bytes: int
    outputs_bytes: int
    analyses_bytes: int
    """What is computed once of each upload, and goes with it"""
    free_bytes: int | None
    """None for a bucket"""


def measure_disk(storage: Storage) -> DiskUse:
    """Adds up every file of the store."""
    return DiskUse(
        uploads_bytes=storage.used("media") + storage.used("thumbnails"),
        outputs_bytes=storage.used("outputs") + storage.used("posters"),
        analyses_bytes=sum(map(storage.used, ANALYSES)),
        free_bytes=storage.free(),
    )
