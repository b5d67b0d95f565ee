"""Uploads that may break off and go on: a row for each, its bytes in the scratch folder, a Media when it is whole."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

import sqlalchemy as sa

from services.accepted_files import AUDIO_SUFFIXES, PICTURE_SUFFIXES
from services.errors import ChorusError, ErrorKind
from services.jobs import tables
from services.library.incoming import too_large
from services.library.intake import Intake
from services.library.media import Media, MediaLibrary
from services.library.names import display_name
from services.storage import storage_error

_log = logging.getLogger(__name__)

_LIFE_MS: Final = 12 * 3600 * 1000
_MOST_UNFINISHED: Final = 100


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


class ResumableUploads:
    """The resumable uploads of one api process; safe to share by threads."""

    def __init__(self, database: sa.Engine, media: MediaLibrary, intake: Intake, scratch: Path) -> None:
        self.max_bytes = intake.limits.max_upload_bytes
        self._database = database
        self._media = media
        self._intake = intake
        self._folder = scratch / "partial"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._finishing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def create(self, name: str, length: int, *, owner: str = "") -> ResumableUpload:
        """Begin an upload of `length` bytes; refused by its name's ending, its size, or the owner's unfinished ones."""
        name = display_name(name)
        self._check(name, length)
        self.sweep()
        row = {
            "id": uuid.uuid4().hex,
            "owner": owner,
            "name": name,
            "length": length,
            "expires_ms": tables.now_ms() + _LIFE_MS,
            "media_id": None,
        }
        table = tables.uploads
        unfinished = sa.select(sa.func.count()).where(table.c.owner == owner, table.c.media_id.is_(None))
        with tables.transaction(self._database) as connection:
            if connection.execute(unfinished).scalar_one() >= _MOST_UNFINISHED:
                raise ChorusError(ErrorKind.OVERLOADED, "uploads-unfinished", name=name, limit=_MOST_UNFINISHED)
            connection.execute(sa.insert(table).values(row))
            self._path(str(row["id"])).touch()
        return self.get(str(row["id"]))

    def get(self, upload_id: str) -> ResumableUpload:
        """One upload; NOT_FOUND when it has expired, was refused, or never was."""
        with tables.transaction(self._database) as connection:
            row = connection.execute(sa.select(tables.uploads).where(tables.uploads.c.id == upload_id)).one_or_none()
        if row is None or row.expires_ms < tables.now_ms():
            raise _unknown(upload_id)
        return self._upload(row)

    def append(self, upload_id: str, offset: int, piece: bytes) -> int:
        """Write the bytes that begin at `offset` and return the next one; CONFLICT when that is not what is missing.

        The file's own length is the only record of what has arrived, so a crash between two writes loses nothing.
        """
        try:
            with self._path(upload_id).open("r+b", buffering=0) as file:
                if file.seek(0, os.SEEK_END) != offset:
                    raise ChorusError(ErrorKind.CONFLICT, "upload-not-there", offset=offset)
                file.write(piece)
        except FileNotFoundError:
            raise _unknown(upload_id) from None
        except OSError as error:
            raise storage_error(error, upload_id) from error
        return offset + len(piece)

    def keep_alive(self, upload_id: str) -> None:
        """Let an upload expire later; call it when bytes have arrived."""
        later = sa.update(tables.uploads).where(tables.uploads.c.id == upload_id)
        with tables.transaction(self._database) as connection:
            connection.execute(later.values(expires_ms=tables.now_ms() + _LIFE_MS))

    def finish(self, upload_id: str) -> Media:
        """The Media of a whole upload, made at the first call; CONFLICT while bytes are missing.

        A file that is refused is gone afterwards; after an error that may pass, call it again.
        """
        with self._lock:
            lock = self._finishing[upload_id]
        with lock:
            upload = self.get(upload_id)
            if upload.media_id is not None:
                return self._media.get(upload.media_id)
            if upload.offset < upload.length:
                missing = upload.length - upload.offset
                raise ChorusError(ErrorKind.CONFLICT, "upload-unfinished", name=upload.name, missing=missing)
            media = self._make_media(upload)
        with self._lock:
            self._finishing.pop(upload_id, None)
        return media

    def delete(self, upload_id: str) -> None:
        """Forget an upload and its bytes; a Media that was made of it stays."""
        with tables.transaction(self._database) as connection:
            gone = connection.execute(sa.delete(tables.uploads).where(tables.uploads.c.id == upload_id))
        if gone.rowcount == 0:
            raise _unknown(upload_id)
        self._path(upload_id).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what has expired, and files that no row knows any more."""
        with tables.transaction(self._database) as connection:
            expired = sa.delete(tables.uploads).where(tables.uploads.c.expires_ms < tables.now_ms())
            for upload_id in connection.execute(expired.returning(tables.uploads.c.id)).scalars():
                self._path(upload_id).unlink(missing_ok=True)
        # Rows of other api processes may be swept here and ours there: the file's own age then decides.
        oldest = time.time() - _LIFE_MS / 1000
        for entry in os.scandir(self._folder):
            if entry.stat().st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)

    def _check(self, name: str, length: int) -> None:
        if PurePosixPath(name).suffix.lower() not in (*AUDIO_SUFFIXES, *PICTURE_SUFFIXES):
            kinds = ", ".join(suffix[1:] for suffix in (*AUDIO_SUFFIXES, *PICTURE_SUFFIXES))
            raise ChorusError(ErrorKind.INVALID_INPUT, "kind-unusable", name=name, kinds=kinds)
        if length == 0:
            raise ChorusError(ErrorKind.INVALID_INPUT, "file-empty", name=name)
        if length > self.max_bytes:
            raise too_large(name, self.max_bytes)
        # It lies here and for a moment also in the store.
        if shutil.disk_usage(self._folder).free < 2 * length:
            raise ChorusError(ErrorKind.STORAGE_FULL, "storage-full", name=name)

    def _make_media(self, upload: ResumableUpload) -> Media:
        path = self._path(upload.id)
        try:
            with self._intake.receive(upload.name) as received:
                received.adopt(path)
                media = self._intake.create(received, owner=upload.owner)
        except ChorusError as error:
            if not error.retryable and error.kind is not ErrorKind.STORAGE_FULL:
                self.delete(upload.id)
            raise
        with tables.transaction(self._database) as connection:
            row = sa.update(tables.uploads).where(tables.uploads.c.id == upload.id)
            connection.execute(row.values(media_id=media.id))
        path.unlink(missing_ok=True)
        return media

    def _path(self, upload_id: str) -> Path:
        # An id that is not one of ours must not become a path.
        if len(upload_id) != 32 or not set(upload_id) <= set("0123456789abcdef"):
            raise _unknown(upload_id)
        return self._folder / upload_id

    def _upload(self, row: sa.Row[Any]) -> ResumableUpload:
        path = self._path(row.id)
        if row.media_id is None and not path.exists():
            raise _unknown(row.id)
        return ResumableUpload(
            id=row.id,
            owner=row.owner,
            name=row.name,
            offset=row.length if row.media_id is not None else path.stat().st_size,
            length=row.length,
            expires_at=datetime.fromtimestamp(row.expires_ms / 1000, UTC),
            media_id=row.media_id,
        )


def _unknown(upload_id: str) -> ChorusError:
    return ChorusError(ErrorKind.NOT_FOUND, "upload-unknown", upload=upload_id)
