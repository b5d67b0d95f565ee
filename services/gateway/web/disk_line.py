"""What the disk holds, and how long finished videos are kept."""

from __future__ import annotations

from services.gateway.web.catalogue import Words
from services.gateway.web.formats import size_text
from services.library.disk import DiskUse


def disk_text(words: Words, use: DiskUse, retention_days: float) -> str:
    """One line."""
    parts = [
        words("disk.outputs", size=size_text(use.outputs_bytes)),
        words("disk.uploads", size=size_text(use.uploads_bytes)),
    ]
    if use.free_bytes is not None:
        parts.append(words("disk.free", size=size_text(use.free_bytes)))
    return " · ".join([*parts, retention_text(words, retention_days)])


def retention_text(words: Words, days: float) -> str:
    """How long finished videos are kept."""
    return words("disk.kept_days", days=f"{days:g}") if days else words("disk.kept")
