"""Files by key in a folder or a bucket, behind one URL; the only import of obstore."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from urllib.parse import unquote, urlparse

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from services.errors import ChorusError, ErrorKind

_CHUNK = 1 << 20


class Storage:
    """One folder (file:///path) or bucket (s3://, gs://, az://); keys are relative paths. Safe to share by threads."""

    def __init__(self, url: str, scratch: Path) -> None:
        """`scratch` is a local folder for the copies that FFmpeg needs when the store is a bucket."""
        self._folder = Path(unquote(urlparse(url).path)) if url.startswith("file://") else None
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._store = LocalStore(self._folder) if self._folder is not None else from_url(url)
        self._scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)

    def put_file(self, key: str, source: Path | BinaryIO, *, create_only: bool = False) -> bool:
        """Store a file atomically under `key`; False when `create_only` found the key taken (and changed nothing).

        Raises STORAGE_FULL when the disk is full and UNAVAILABLE for any other failure of the store.
        """
        try:
            obstore.put(self._store, key, source, mode="create" if create_only else "overwrite")
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as error:
            raise storage_error(error, key) from error
        return True

    def put_bytes(self, key: str, content: bytes) -> None:
        """Store small content atomically under `key`."""
        try:
            obstore.put(self._store, key, content)
        except (BaseError, OSError) as error:
            raise storage_error(error, key) from error

    def size(self, key: str) -> int | None:
        """Bytes under `key`, or None when there is nothing."""
        try:
            return obstore.head(self._store, key)["size"]
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise storage_error(error, key) from error

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Bytes start..end (end excluded; None: to the last) in pieces of about 1 MiB; NOT_FOUND when missing."""
        size = self.size(key)
        if size is None:
            raise ChorusError(ErrorKind.NOT_FOUND, f"There is no file under {key}")
        stop = size if end is None else min(end, size)
        for offset in range(start, stop, _CHUNK):
            yield bytes(obstore.get_range(self._store, key, start=offset, end=min(offset + _CHUNK, stop)))

    def delete(self, key: str) -> None:
        """Remove what lies under `key`; nothing happens when there is nothing."""
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise storage_error(error, key) from error

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key below `prefix`."""
        for page in obstore.list(self._store, prefix=prefix):
            yield from (entry["path"] for entry in page)

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        """A local path with the content of `key`, valid inside the block; for a folder the file itself, read only."""
        if self.size(key) is None:
            raise ChorusError(ErrorKind.NOT_FOUND, f"There is no file under {key}")
        if self._folder is not None:
            yield self._folder / key
            return
        with TemporaryDirectory(dir=self._scratch) as folder:
            path = Path(folder) / Path(key).name
            with path.open("wb") as target:
                for piece in self.read(key):
                    target.write(piece)
            yield path


def storage_error(error: Exception, key: str) -> ChorusError:
    """The typed error behind a failed write or read: a full disk is told apart from a store that does not answer."""
    text = str(error)
    # obstore passes the operating system's error on as text only.
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in text:
        return ChorusError(ErrorKind.STORAGE_FULL, f"No space is left to store {key}: free disk space and try again")
    return ChorusError(ErrorKind.UNAVAILABLE, f"The artifact store failed at {key}: {text or repr(error)}")
