"""Uploads that may break off and go on, with any api process: a row for each, its bytes in the store until then."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final

import sqlalchemy as sa

from services.accepted_files import AUDIO_SUFFIXES, PICTURE_SUFFIXES
from services.acting import Role, current_actor, needs
from services.errors import ChorusError, ErrorKind
from services.jobs import moments, tables
from services.library.incoming import too_large
from services.library.intake import Intake
from services.library.media import Media, MediaLibrary
from services.library.names import display_name
from services.library.upload_parts import UploadParts


class Purpose(StrEnum):
    """What becomes of an upload."""

    MEDIA = "media"
    MODEL = "model"
    """A family, by an import"""

    @classmethod
    def named(cls, text: str) -> Purpose:
        """The purpose that was asked for; without a word a media."""
        try:
            return cls(text or cls.MEDIA)
        except ValueError:
            choices = ", ".join(cls)
            raise ChorusError(
                ErrorKind.INVALID_INPUT, "upload-purpose-unknown", purpose=text, choices=choices
            ) from None


_LIFE_MS: Final = 12 * 3600 * 1000
_MOST_UNFINISHED: Final = 100
# Who makes a media of an upload says so more often than this; a claim that is older belongs to nobody any more.
_CLAIM_MS: Final = 20_000
_TOUCH_SECONDS: Final = 5.0
_WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumableUpload:
    """An upload under way, or finished lately."""

    id: str
    owner: str
    name: str
    offset: int
    """Bytes that have arrived"""
    length: int
    expires_at: datetime
    """Later after each further piece"""
    media_id: str | None
    """Once it is whole and accepted"""
    purpose: Purpose


class ResumableUploads:
    """The resumable uploads of an installation; safe to share by threads and by processes."""

    def __init__(
        self,
        database: sa.Engine,
        media: MediaLibrary,
        intake: Intake,
        parts: UploadParts,
        check_imports: Callable[[], object],
    ) -> None:
        """`check_imports` raises where nothing can be imported."""
        self.max_bytes = intake.limits.max_upload_bytes
        self._database = database
        self._media = media
        self._intake = intake
        self._parts = parts
        self._check_imports = check_imports

    @needs(Role.MAKER)
    def create(self, name: str, length: int, *, owner: str = "", purpose: Purpose = Purpose.MEDIA) -> ResumableUpload:
        """Begin an upload of `length` bytes; refused by its name's ending, its size, or the owner's unfinished ones.

        Only admins bring models; those are known by their content, whatever their name is.
        """
        name = display_name(name)
        if purpose is Purpose.MODEL:
            current_actor().require(Role.ADMIN)
            self._check_imports()
        else:
            _check_ending(name)
        self._check_length(name, length)
        self._forget_expired()
        self._intake.quotas.check_upload(owner, name, length, unfinished=True)
        row = {
            "id": uuid.uuid4().hex,
            "owner": owner,
            "name": name,
            "length": length,
            "expires_ms": moments.now_ms() + _LIFE_MS,
            "media_id": None,
            "purpose": purpose.value,
        }
        table = tables.uploads
        unfinished = sa.select(sa.func.count()).where(table.c.owner == owner, table.c.media_id.is_(None))
        with tables.transaction(self._database) as connection:
            if connection.execute(unfinished).scalar_one() >= _MOST_UNFINISHED:
                raise ChorusError(ErrorKind.OVERLOADED, "uploads-unfinished", name=name, limit=_MOST_UNFINISHED)
            connection.execute(sa.insert(table).values(row))
        return self.get(str(row["id"]))

    def get(self, upload_id: str) -> ResumableUpload:
        """One upload; NOT_FOUND when it has expired, was refused, or never was."""
        with tables.transaction(self._database) as connection:
            row = connection.execute(sa.select(tables.uploads).where(tables.uploads.c.id == upload_id)).one_or_none()
        if row is None or row.expires_ms < moments.now_ms():
            raise _unknown(upload_id)
        offset = row.length if row.media_id is not None else self._parts.end(upload_id)
        return ResumableUpload(
            id=row.id,
            owner=row.owner,
            name=row.name,
            offset=offset,
            length=row.length,
            expires_at=moments.moment_of(row.expires_ms),
            media_id=row.media_id,
            purpose=Purpose(row.purpose),
        )

    @needs(Role.MAKER)
    def get_own(self, upload_id: str, owner: str) -> ResumableUpload:
        """One upload of `owner`; FORBIDDEN when it is somebody else's."""
        upload = self.get(upload_id)
        if upload.owner != owner:
            raise ChorusError(ErrorKind.FORBIDDEN, "upload-of-another", name=upload.name)
        return upload

    @needs(Role.MAKER)
    def append(self, upload_id: str, offset: int, piece: bytes) -> int:
        """Keep the bytes that begin at `offset` and return the next one; CONFLICT when that is not what is missing.

        STORAGE_FULL without room: what has arrived stays, and the upload goes on when there is some again.
        """
        self._intake.room.check()
        return self._parts.append(upload_id, offset, piece)

    def keep_alive(self, upload_id: str) -> None:
        """Let an upload expire later; call it when bytes have arrived."""
        self._update(upload_id, expires_ms=moments.now_ms() + _LIFE_MS)

    @needs(Role.MAKER)
    def finish(self, upload_id: str) -> Media:
        """The Media of a whole upload, made by whoever asks first; CONFLICT while bytes are missing.

        A file that is refused is gone afterwards; after an error that may pass, call it again.
        """
        end = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < end:
            upload = self.get(upload_id)
            if upload.media_id is not None:
                return self._media.get(upload.media_id)
            if upload.purpose is not Purpose.MEDIA:
                raise ChorusError(ErrorKind.INVALID_INPUT, "upload-is-model", name=upload.name)
            _check_whole(upload)
            claim = self._claim(upload_id)
            if claim is not None:
                return self._make_media(upload, claim)
            time.sleep(_LOOK_SECONDS)
        raise ChorusError(ErrorKind.UNAVAILABLE, "upload-being-finished", name=upload.name)

    @needs(Role.ADMIN)
    def get_model(self, upload_id: str, owner: str) -> ResumableUpload:
        """A whole upload of `owner` that is to be imported; INVALID_INPUT for others, CONFLICT while bytes miss."""
        upload = self.get_own(upload_id, owner)
        if upload.purpose is not Purpose.MODEL:
            raise ChorusError(ErrorKind.INVALID_INPUT, "upload-is-media", name=upload.name)
        _check_whole(upload)
        return upload

    def read(self, upload_id: str) -> Iterator[bytes]:
        """What has arrived, in pieces of about 1 MiB."""
        return self._parts.read(upload_id)

    @needs(Role.MAKER)
    def delete(self, upload_id: str) -> None:
        """Forget an upload and its bytes; a Media that was made of it stays."""
        if not self._forget(tables.uploads.c.id == upload_id):
            raise _unknown(upload_id)

    def sweep(self) -> None:
        """Remove what has expired, and bytes that no row knows any more."""
        self._forget_expired()
        self._parts.sweep()

    def _check_length(self, name: str, length: int) -> None:
        if length == 0:
            raise ChorusError(ErrorKind.INVALID_INPUT, "file-empty", name=name)
        if length > self.max_bytes:
            raise too_large(name, self.max_bytes)
        # Its parts lie in the store, and for a moment also the whole.
        self._intake.room.check(name, scratch=length, store=2 * length)

    def _make_media(self, upload: ResumableUpload, claim: str) -> Media:
        try:
            with self._kept(upload.id, claim), self._intake.receive(upload.name) as incoming:
                for piece in self._parts.read(upload.id):
                    incoming.write(piece)
                media = self._intake.create(incoming, owner=upload.owner)
        except ChorusError as error:
            if error.retryable or error.kind is ErrorKind.STORAGE_FULL:
                self._update(upload.id, tables.uploads.c.claim == claim, claim=None)
            else:
                self._forget(tables.uploads.c.id == upload.id)
            raise
        if not self._update(upload.id, tables.uploads.c.claim == claim, media_id=media.id):
            # We were taken for dead, and another process has made one, or the upload was deleted.
            self._media.delete(media.id)
            return self.finish(upload.id)
        self._parts.remove([upload.id])
        return media

    def _claim(self, upload_id: str) -> str | None:
        """Become who makes the media; None while another process does."""
        table, claim = tables.uploads, uuid.uuid4().hex
        is_free = table.c.claim.is_(None) | moments.is_silent(self._database, table.c.claim_ms, _CLAIM_MS)
        values = {"claim": claim, "claim_ms": moments.database_now_ms(self._database)}
        return claim if self._update(upload_id, table.c.media_id.is_(None), is_free, **values) else None

    @contextmanager
    def _kept(self, upload_id: str, claim: str) -> Iterator[None]:
        """Shows during the block that whoever made the claim is alive."""
        done = threading.Event()

        def touch() -> None:
            while not done.wait(_TOUCH_SECONDS):
                # A database that is away for a moment costs one touch, not the claim.
                with suppress(ChorusError):
                    now = moments.database_now_ms(self._database)
                    self._update(upload_id, tables.uploads.c.claim == claim, claim_ms=now)

        thread = threading.Thread(target=touch, name="upload-claim", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _update(self, upload_id: str, *conditions: sa.ColumnElement[bool], **values: Any) -> bool:
        statement = sa.update(tables.uploads).where(tables.uploads.c.id == upload_id, *conditions)
        with tables.transaction(self._database) as connection:
            return connection.execute(statement.values(values)).rowcount == 1

    def _forget_expired(self) -> None:
        self._forget(tables.uploads.c.expires_ms < moments.now_ms())

    def _forget(self, condition: sa.ColumnElement[bool]) -> list[str]:
        """Delete rows, and then their bytes: a commit that fails must not have cost them."""
        table = tables.uploads
        with tables.transaction(self._database) as connection:
            gone = [*connection.execute(sa.delete(table).where(condition).returning(table.c.id)).scalars()]
        self._parts.remove(gone)
        return gone


def _check_ending(name: str) -> None:
    if PurePosixPath(name).suffix.lower() not in (*AUDIO_SUFFIXES, *PICTURE_SUFFIXES):
        kinds = ", ".join(suffix[1:] for suffix in (*AUDIO_SUFFIXES, *PICTURE_SUFFIXES))
        raise ChorusError(ErrorKind.INVALID_INPUT, "kind-unusable", name=name, kinds=kinds)


def _check_whole(upload: ResumableUpload) -> None:
    if upload.offset < upload.length:
        missing = upload.length - upload.offset
        raise ChorusError(ErrorKind.CONFLICT, "upload-unfinished", name=upload.name, missing=missing)


def _unknown(upload_id: str) -> ChorusError:
    return ChorusError(ErrorKind.NOT_FOUND, "upload-unknown", upload=upload_id)
