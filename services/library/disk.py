"""How full the store is."""

from __future__ import annotations

from dataclasses import dataclass

from services.library.keys import ANALYSES
from services.library.room import Room
from services.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """How the store is filled, bytes."""

    uploads_bytes: int
    outputs_bytes: int
    analyses_bytes: int
    """What is computed once of each upload, and goes with it"""
    free_bytes: int | None
    """None for a bucket"""
    low: bool
    """True while too little is free for anything new, in the store or where uploads arrive"""


def measure_disk(storage: Storage, room: Room) -> DiskUse:
    """Adds up every file of the store."""
    return DiskUse(
        uploads_bytes=storage.used("media") + storage.used("thumbnails"),
        outputs_bytes=storage.used("outputs") + storage.used("posters"),
        analyses_bytes=sum(map(storage.used, ANALYSES)),
        free_bytes=storage.free(),
        low=room.is_low(),
    )
