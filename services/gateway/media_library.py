"""Uploaded recordings: what each one is, where it lies, and who still needs it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlalchemy as sa

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.gateway import database as tables
from services.gateway.artifacts import Artifacts, Upload, media_key
from services.gateway.engine.queue import JobQueue
from services.gateway.probing import MediaFacts, Prober

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Media(MediaFacts):
    """One uploaded recording."""

    id: str
    name: str
    bytes: int
    sha256: str


class MediaLibrary:
    """The uploads of one installation; safe to share by threads."""

    def __init__(
        self, database: sa.Engine, queue: JobQueue, artifacts: Artifacts, prober: Prober, *, max_minutes: float
    ) -> None:
        self._database = database
        self._queue = queue
        self._artifacts = artifacts
        self._prober = prober
        self._max_minutes = max_minutes

    def receive(self, name: str) -> Upload:
        """Begin to receive a file; use it in a `with` block and hand it to `create`."""
        return self._artifacts.receive(name)

    def create(self, upload: Upload) -> Media:
        """Look into a received file, store it, and give it an id; refused files leave nothing behind."""
        upload.finish()
        facts = self._prober(upload.path, name=upload.name)
        media = Media(**asdict(facts), id=uuid.uuid4().hex, name=upload.name, bytes=upload.size, sha256=upload.sha256)
        self.check_length(media)
        self._artifacts.keep(upload)
        with tables.transaction(self._database) as connection:
            connection.execute(sa.insert(tables.media).values(**asdict(media), created_ms=tables.now_ms()))
        if self._artifacts.storage.size(media_key(media.sha256)) is None:
            # Somebody deleted the same content between our two steps; from now on it is ours.
            self._artifacts.keep(upload)
        telemetry.upload_received(upload.size)
        _log.info(
            "received %s (%s, %.2f s, %d bytes) as %s", media.name, media.kind, media.seconds, media.bytes, media.id
        )
        return media

    def check_length(self, media: Media) -> None:
        """INVALID_INPUT when a recording is longer than this installation accepts."""
        if media.seconds > self._max_minutes * 60:
            length = f"{media.name} is {media.seconds / 60:.1f} minutes long"
            raise ChorusError(ErrorKind.INVALID_INPUT, f"{length}; the limit is {self._max_minutes:g} minutes: cut it")

    def get(self, media_id: str) -> Media:
        """One upload; NOT_FOUND when there is none."""
        with tables.transaction(self._database) as connection:
            return find_media(connection, [media_id])[media_id]

    def delete(self, media_id: str) -> None:
        """Forget an upload; CONFLICT while an unfinished job needs it. The file goes when no other upload shares it."""
        with tables.transaction(self._database) as connection:
            # Deleted first and checked after: from here on no new batch can take it up, and a refusal rolls back.
            gone = connection.execute(
                sa.delete(tables.media).where(tables.media.c.id == media_id).returning(tables.media)
            )
            row = gone.one_or_none()
            if row is None:
                raise _unknown(media_id)
            users = self._queue.count_unfinished_users(connection, media_id)
            if users:
                raise ChorusError(
                    ErrorKind.CONFLICT, f"{row.name} is needed by {users} unfinished jobs: cancel them or wait for them"
                )
            same = sa.select(tables.media.c.id).where(tables.media.c.sha256 == row.sha256).limit(1)
            if connection.execute(same).first() is None:
                self._artifacts.storage.delete(media_key(row.sha256))

    def delete_unused(self, before_ms: int) -> int:
        """Delete uploads from before a moment that no job uses any more; returns how many."""
        used = sa.union(sa.select(tables.jobs.c.video_id), sa.select(tables.jobs.c.audio_id))
        unused = sa.select(tables.media.c.id).where(
            tables.media.c.created_ms < before_ms, tables.media.c.id.not_in(used)
        )
        with tables.transaction(self._database) as connection:
            found = list(connection.execute(unused).scalars())
        for media_id in found:
            self.delete(media_id)
        return len(found)


def find_media(connection: sa.Connection, media_ids: Sequence[str]) -> dict[str, Media]:
    """Uploads by id, kept from deletion until the transaction ends; NOT_FOUND names the first that is missing."""
    select = sa.select(tables.media).where(tables.media.c.id.in_(media_ids)).with_for_update(read=True)
    found = {row.id: _media(row) for row in connection.execute(select)}
    for media_id in media_ids:
        if media_id not in found:
            raise _unknown(media_id)
    return found


def _unknown(media_id: str) -> ChorusError:
    return ChorusError(ErrorKind.NOT_FOUND, f"There is no upload {media_id}: upload the file first")


def _media(row: sa.Row[Any]) -> Media:
    return Media(**{field.name: getattr(row, field.name) for field in fields(Media)})
