"""Uploaded recordings: what each one is, where it lies, whose it is, and who still needs it."""

from __future__ import annotations

import logging
import mimetypes
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from services.acting import deed
from services.errors import ChorusError, ErrorKind
from services.jobs import moments, tables
from services.jobs.engine.queue import JobQueue
from services.jobs.visibility import others_last, seen
from services.library.artifacts import Artifacts
from services.library.incoming import IncomingFile
from services.library.keys import media_key, thumbnail_key
from services.library.stored_file import StoredFile
from services.preprocess.look import Probed
from services.preprocess.summary import FACTS_VERSION, MediaFacts, SoundNote

_log = logging.getLogger(__name__)

_STALE_SECONDS: Final = 24 * 3600.0
_PLAYABLE: Final = ("audio/", "video/", "image/jpeg", "image/png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Media(MediaFacts):
    """One uploaded recording."""

    id: str
    name: str
    bytes: int
    sha256: str
    owner: str
    created_at: datetime
    has_thumbnail: bool


class MediaLibrary:
    """The uploads of one installation; safe to share by threads."""

    def __init__(self, database: sa.Engine, queue: JobQueue, artifacts: Artifacts) -> None:
        self._database = database
        self._queue = queue
        self._artifacts = artifacts

    def add(self, probed: Probed, incoming: IncomingFile, *, key: str, owner: str) -> Media:
        """Give a received file that was looked into under `key` an id, and its place by its content."""
        created = moments.now_ms()
        media = Media(
            **asdict(probed.facts),
            id=uuid.uuid4().hex,
            name=incoming.name,
            bytes=incoming.size,
            sha256=incoming.sha256,
            owner=owner,
            created_at=moments.moment_of(created),
            has_thumbnail=bool(probed.thumbnail),
        )
        self._artifacts.keep(key, media.sha256, probed.thumbnail)
        row = {**asdict(media), "created_ms": created, "facts_version": probed.facts_version}
        del row["created_at"]
        with tables.transaction(self._database) as connection:
            connection.execute(sa.insert(tables.media).values(row))
        if self._artifacts.storage.size(media_key(media.sha256)) is None:
            # Somebody deleted the same content between our two steps; from now on it is ours.
            self._artifacts.storage.put_file(key, incoming.path)
            self._artifacts.keep(key, media.sha256, probed.thumbnail)
        return media

    def known(self, sha256: str) -> Media | None:
        """An upload of the same content, all of it in the store, whose facts are what a look into it would find.

        None also where only others have it, of whom whoever acts may not know.
        """
        table = tables.media
        same = sa.select(table).where(table.c.sha256 == sha256, table.c.facts_version == FACTS_VERSION, seen(table))
        with tables.transaction(self._database) as connection:
            row = connection.execute(same.limit(1)).one_or_none()
        if row is None or not self._artifacts.holds(sha256, thumbnail=row.has_thumbnail):
            return None
        return _media(row)

    def add_again(self, known: Media, name: str, *, owner: str) -> Media | None:
        """Give the same content as `known` another id; None when `known` is gone meanwhile, perhaps with its files."""
        table = tables.media
        own = {"id": uuid.uuid4().hex, "name": name, "owner": owner, "created_ms": moments.now_ms()}
        columns = [sa.literal(own[each.name]) if each.name in own else each for each in table.columns]
        # Who deletes `known` waits for this row, and then sees it: the files stay.
        original = sa.select(*columns).where(table.c.id == known.id).with_for_update(read=True)
        adding = sa.insert(table).from_select([*table.columns], original).returning(table)
        with tables.transaction(self._database) as connection:
            row = connection.execute(adding).one_or_none()
        return None if row is None else _media(row)

    def get(self, media_id: str) -> Media:
        """One upload; NOT_FOUND when there is none."""
        with tables.transaction(self._database) as connection:
            return find_media(connection, [media_id])[media_id]

    def list(
        self, *, limit: int, offset: int, owner: str | None = None, kind: str | None = None, first: str = ""
    ) -> tuple[Sequence[Media], int]:
        """A page of uploads and how many there are in all: `first`'s own before all others, newest first.

        `owner` and `kind` (video, audio, still) leave only theirs.
        """
        table = tables.media
        wanted = seen(table)
        if owner is not None:
            wanted &= table.c.owner == owner
        if kind is not None:
            wanted &= table.c.kind == kind
        page = sa.select(table).where(wanted).limit(limit).offset(offset)
        page = page.order_by(others_last(table, first), table.c.created_ms.desc(), table.c.id)
        with tables.transaction(self._database) as connection:
            rows = connection.execute(page).all()
            total = connection.execute(sa.select(sa.func.count()).select_from(table).where(wanted)).scalar_one()
        return [_media(row) for row in rows], int(total)

    def open_content(self, media_id: str) -> StoredFile:
        """The recording as it was uploaded."""
        media = self.get(media_id)
        kind = mimetypes.guess_type(media.name)[0] or ""
        if not kind.startswith(_PLAYABLE):
            # By its name it could be a page, which a browser would run as ours.
            kind = "application/octet-stream"
        return self._artifacts.open(
            media_key(media.sha256), media.name, kind, version=media.sha256, modified_at=media.created_at
        )

    def open_thumbnail(self, media_id: str) -> StoredFile:
        """A small JPEG of an upload with pictures; NOT_FOUND for sound."""
        media = self.get(media_id)
        if not media.has_thumbnail:
            raise ChorusError(ErrorKind.NOT_FOUND, "no-thumbnail", name=media.name)
        return self._artifacts.open(
            thumbnail_key(media.sha256),
            f"{media.name}.jpg",
            "image/jpeg",
            version=media.sha256,
            modified_at=media.created_at,
        )

    @deed("media.delete")
    def delete(self, media_id: str) -> None:
        """Forget an upload; CONFLICT while an unfinished job needs it. The file goes when no other upload shares it.

        The look for its faces ends with it.
        """
        with tables.transaction(self._database) as connection:
            # Deleted first and checked after: from here on no new batch can take it up, and a refusal rolls back.
            gone = connection.execute(
                sa.delete(tables.media).where(tables.media.c.id == media_id, seen(tables.media)).returning(tables.media)
            )
            row = gone.one_or_none()
            if row is None:
                raise _unknown(media_id)
            users = self._queue.count_unfinished_users(connection, media_id)
            if users:
                raise ChorusError(ErrorKind.CONFLICT, "media-in-use", name=row.name, jobs=users)
            is_last = not _is_stored(connection, row.sha256)
            if is_last:
                for table in (tables.preflights, tables.preflight_runs):
                    connection.execute(sa.delete(table).where(table.c.sha256 == row.sha256))
        # Only now: a commit that fails must not have cost the file.
        if is_last:
            self._forget(row.sha256)

    def _forget(self, sha256: str) -> None:
        with tables.transaction(self._database) as connection:
            if _is_stored(connection, sha256):
                return  # uploaded again meanwhile
        self._artifacts.forget(sha256)

    def sweep(self) -> None:
        """Remove content that no upload has: a process died between its two steps, more than a day ago."""
        folder = media_key("")
        found = {key.removeprefix(folder) for key in self._artifacts.storage.older(folder, _STALE_SECONDS)}
        with tables.transaction(self._database) as connection:
            known = set(connection.execute(sa.select(tables.media.c.sha256)).scalars())
        for sha256 in found - known:
            _log.warning("content %s belongs to no upload: removed", sha256)
            self._forget(sha256)

    def delete_unused(self, before_ms: int) -> int:
        """Delete uploads from before a moment that no job uses any more; returns how many."""
        used = sa.union(sa.select(tables.jobs.c.video_id), sa.select(tables.jobs.c.audio_id))
        unused = sa.select(tables.media.c.id).where(
            tables.media.c.created_ms < before_ms, tables.media.c.id.not_in(used)
        )
        with tables.transaction(self._database) as connection:
            found = [*connection.execute(unused).scalars()]
        for media_id in found:
            self.delete(media_id)
        return len(found)


def find_media(connection: sa.Connection, media_ids: Sequence[str]) -> dict[str, Media]:
    """Uploads by id, kept from deletion until the transaction ends; NOT_FOUND names the first that is missing."""
    wanted = tables.media.c.id.in_(media_ids) & seen(tables.media)
    select = sa.select(tables.media).where(wanted).with_for_update(read=True)
    found = {row.id: _media(row) for row in connection.execute(select)}
    for media_id in media_ids:
        if media_id not in found:
            raise _unknown(media_id)
    return found


def _is_stored(connection: sa.Connection, sha256: str) -> bool:
    same = sa.select(tables.media.c.id).where(tables.media.c.sha256 == sha256).limit(1)
    return connection.execute(same).first() is not None


def _unknown(media_id: str) -> ChorusError:
    return ChorusError(ErrorKind.NOT_FOUND, "media-unknown", media=media_id)


def _media(row: sa.Row[Any]) -> Media:
    values = {field.name: getattr(row, field.name) for field in fields(Media) if field.name != "created_at"}
    values["sound_notes"] = tuple(map(SoundNote, values["sound_notes"]))
    return Media(**values, created_at=moments.moment_of(row.created_ms))
