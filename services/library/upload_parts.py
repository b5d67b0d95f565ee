"""The bytes of resumable uploads: parts in the store, and the table that says which of them count."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from services.errors import ChorusError, ErrorKind
from services.jobs import tables
from services.storage import Storage

FOLDER: Final = "parts"
_MOST_PARTS: Final = 10_000


class UploadParts:
    """The parts of all uploads of an installation; safe to share by threads and by processes.

    A part lies in the store before its row is written, and counts from then on: of two writers of one place exactly
    one gets the row, and a crash between the two leaves only a key that nobody knows.
    """

    def __init__(self, database: sa.Engine, storage: Storage) -> None:
        self.storage = storage
        self._database = database

    def end(self, upload_id: str) -> int:
        """Bytes that have arrived."""
        with tables.transaction(self._database) as connection:
            return _end(connection, upload_id)

    def append(self, upload_id: str, start: int, content: bytes) -> int:
        """Keep the bytes that begin at `start` and return the next one; CONFLICT when that is not what is missing."""
        key = f"{FOLDER}/{upload_id}/{start:020}-{uuid.uuid4().hex}"
        self.storage.put_bytes(key, content)
        row = {"upload_id": upload_id, "start": start, "size": len(content), "key": key}
        try:
            with tables.transaction(self._database) as connection:
                self._check_place(connection, upload_id, start)
                connection.execute(sa.insert(tables.upload_parts).values(row))
        except sa.exc.IntegrityError:
            # Another writer was quicker, or the upload was deleted meanwhile.
            self.storage.delete(key)
            raise ChorusError(ErrorKind.CONFLICT, "upload-not-there", offset=start) from None
        except ChorusError:
            self.storage.delete(key)
            raise
        return start + len(content)

    def read(self, upload_id: str) -> Iterator[bytes]:
        """All bytes in order, in pieces of about 1 MiB."""
        table = tables.upload_parts
        wanted = sa.select(table.c.key).where(table.c.upload_id == upload_id).order_by(table.c.start)
        with tables.transaction(self._database) as connection:
            keys = [*connection.execute(wanted).scalars()]
        for key in keys:
            yield from self.storage.read(key)

    def remove(self, upload_ids: Sequence[str]) -> None:
        """Delete the bytes of uploads whose rows are gone."""
        for upload_id in upload_ids:
            for key in list(self.storage.keys(f"{FOLDER}/{upload_id}")):
                self.storage.delete(key)

    def sweep(self) -> None:
        """Delete the bytes of uploads that nobody knows any more."""
        found = {key.split("/")[1] for key in self.storage.keys(FOLDER)}
        with tables.transaction(self._database) as connection:
            known = set(connection.execute(sa.select(tables.uploads.c.id)).scalars())
        self.remove(sorted(found - known))

    def _check_place(self, connection: sa.Connection, upload_id: str, start: int) -> None:
        table = tables.upload_parts
        count = connection.execute(sa.select(sa.func.count()).where(table.c.upload_id == upload_id)).scalar_one()
        if count >= _MOST_PARTS:
            raise ChorusError(ErrorKind.INVALID_INPUT, "upload-in-too-many-pieces", limit=_MOST_PARTS)
        if _end(connection, upload_id) != start:
            raise ChorusError(ErrorKind.CONFLICT, "upload-not-there", offset=start)


def _end(connection: sa.Connection, upload_id: str) -> int:
    table = tables.upload_parts
    last = sa.select(sa.func.max(table.c.start + table.c.size)).where(table.c.upload_id == upload_id)
    return int(connection.execute(last).scalar_one() or 0)
