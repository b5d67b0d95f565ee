"""The store as the library uses it: files by their content, and what was made of them."""

from __future__ import annotations

from datetime import datetime

from services.errors import ChorusError, ErrorKind
from services.library.keys import ANALYSES, media_key, thumbnail_key
from services.library.stored_file import StoredFile
from services.storage import Storage


class Artifacts:
    """The store of one installation; safe to share by threads."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def keep(self, key: str, sha256: str, thumbnail: bytes) -> None:
        """Give what lies under `key` its place by its content, and its thumbnail, unless that is empty, too."""
        self.storage.move(key, media_key(sha256))
        if thumbnail:
            self.storage.put_bytes(thumbnail_key(sha256), thumbnail)

    def holds(self, sha256: str, *, thumbnail: bool) -> bool:
        """True when the content is in its place, and a thumbnail of it if there shall be one."""
        keys = [media_key(sha256), *([thumbnail_key(sha256)] if thumbnail else [])]
        return all(self.storage.size(key) is not None for key in keys)

    def forget(self, sha256: str) -> None:
        """Remove an upload's content and what was made of it."""
        for folder in ANALYSES:
            for key in self.storage.keys(f"{folder}/{sha256}"):
                self.storage.delete(key)
        self.storage.delete(thumbnail_key(sha256))
        self.storage.delete(media_key(sha256))

    def open(self, key: str, name: str, media_type: str, *, version: str, modified_at: datetime) -> StoredFile:
        """What a door needs to serve the file under `key`; NOT_FOUND when it is gone."""
        size = self.storage.size(key)
        if size is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "not-in-store", name=name)
        return StoredFile(
            key=key,
            name=name,
            bytes=size,
            media_type=media_type,
            version=f"{version}-{size}",
            modified_at=modified_at,
        )
