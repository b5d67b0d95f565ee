"""A recording in words: its length, size and picture."""

from __future__ import annotations

from services.gateway.web.catalogue import Words
from services.gateway.web.formats import length_text, size_text
from services.library.media import Media


def media_facts(words: Words, media: Media) -> str:
    """One line, as in 0:12 · 1280 × 720 · 4.1 MB."""
    parts = [words("media.photo") if media.kind == "still" else length_text(media.seconds)]
    if media.width and media.height:
        parts.append(f"{media.width} × {media.height}")
    return " · ".join([*parts, size_text(media.bytes)])


def content_address(media_id: str) -> str:
    """Where the browser plays an upload from."""
    return f"/v1/media/{media_id}/content"


def thumbnail_address(media_id: str) -> str:
    """Where a small picture of an upload lies."""
    return f"/v1/media/{media_id}/thumbnail"
