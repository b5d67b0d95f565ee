"""The uploads behind a draft; these calls touch the database, so views make them off the event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from services.errors import ChorusError, ErrorKind
from services.gateway.operations.batches import Operations
from services.library.findings import Preflight
from services.library.media import Media


def find_upload(operations: Operations, media_id: str) -> Media | None:
    """An upload, or None when it was deleted."""
    try:
        return operations.media.get(media_id)
    except ChorusError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        return None


def look_at(
    operations: Operations, media_ids: Sequence[str], known: Mapping[str, Media], unsettled: Sequence[str]
) -> tuple[dict[str, Media], dict[str, Preflight]]:
    """The uploads that still exist, and how far the look for faces is in those that are not settled."""
    found = {media_id: known.get(media_id) or find_upload(operations, media_id) for media_id in media_ids}
    preflights = {}
    for media_id in unsettled:
        # Refused when thousands wait already, or the upload was deleted just now: the next look asks again.
        with suppress(ChorusError):
            preflights[media_id] = operations.preflights.start(media_id)
    return {media_id: media for media_id, media in found.items() if media is not None}, preflights


def discard(operations: Operations, media_ids: Sequence[str]) -> None:
    """Delete uploads that were never used."""
    for media_id in media_ids:
        # Another tab was faster, or has started the batch just now.
        with suppress(ChorusError):
            operations.media.delete(media_id)
