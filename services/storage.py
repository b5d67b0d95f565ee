"""Files by key in a folder or a bucket, behind one URL; the only import of obstore."""

from __future__ import annotations

import mmap
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from urllib.parse import unquote, urlparse
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from services.errors import ChorusError, ErrorKind, is_disk_full
from services.folders import make_folder

_CHUNK = 1 << 20
_STALE_SECONDS = 24 * 3600.0
_LARGEST_PUT = 5 << 30


class Storage:
    """One folder (file:///path) or bucket (s3://, gs://, az://); keys are relative paths. Safe to share by threads."""

    def __init__(self, url: str, scratch: Path) -> None:
        """`scratch` is a local folder for the copies that FFmpeg needs when the store is a bucket."""
        self._folder = Path(unquote(urlparse(url).path)) if url.startswith("file://") else None
        if self._folder is not None:
            make_folder(self._folder)
        self._store = LocalStore(self._folder) if self._folder is not None else from_url(url)
        # One request may carry gigabytes, the others are small and shall fail soon.
        self._large_files = self._store
        if self._folder is None:
            # Options given here take the place of those in the environment, AWS_ALLOW_HTTP among them; an address that
            # is not allowed has failed by then at the first look at the key.
            self._large_files = from_url(url, client_options={"timeout": "30m", "allow_http": True})
        self._scratch = scratch
        make_folder(scratch)

    def put_file(self, key: str, source: Path | BinaryIO, *, create_only: bool = False) -> bool:
        """Store a file atomically under `key`; False when `create_only` found the key taken (and changed nothing).

        Raises STORAGE_FULL when the disk is full and UNAVAILABLE for any other failure of the store.
        """
        try:
            if create_only:
                return self._create(key, source)
            self._put_streaming(key, source)
        except (BaseError, OSError) as error:
            raise storage_error(error, key) from error
        return True

    def _create(self, key: str, source: Path | BinaryIO) -> bool:
        if self.size(key) is not None:
            return False
        if self._folder is None:
            return self._create_in_bucket(key, source)
        # Not put(mode="create"): in a folder that one reads the whole file into memory first.
        staged = f"staging/{uuid4().hex}"
        try:
            self._put_streaming(staged, source)
            obstore.rename(self._store, staged, key, overwrite=False)
        except AlreadyExistsError:
            return False
        finally:
            self.delete(staged)
        return True

    def _create_in_bucket(self, key: str, source: Path | BinaryIO) -> bool:
        """One conditional request: of several writers exactly one gets 200, and nobody ever reads half a file.

        A copy that is conditional, or a multipart upload whose end is, are not atomic on every server (SeaweedFS let
        several of eight racing writers win), a conditional PUT is.
        """
        with _as_buffer(source) as content:
            if len(content) > _LARGEST_PUT:
                # Beyond what one request may carry; two writers of one key write the same thing.
                self._put_streaming(key, source)
                return True
            try:
                obstore.put(self._large_files, key, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def _put_streaming(self, key: str, source: Path | BinaryIO) -> None:
        if not self._link(key, source):
            obstore.put(self._store, key, source, max_concurrency=2)

    def _link(self, key: str, source: Path | BinaryIO) -> bool:
        """Give a file of the same disk a second name in the folder instead of copying it: gigabytes cost nothing.

        Only for new keys, and only since nobody writes on into a file that was handed over.
        """
        if self._folder is None or not isinstance(source, Path):
            return False
        target = self._folder / key
        if not target.resolve().is_relative_to(self._folder.resolve()):
            return False  # left to obstore, which refuses it
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(source)
        except OSError:  # another disk, no such thing on this file system, or the key is taken
            return False
        return True

    def move(self, source: str, target: str) -> None:
        """Give what lies under `source` the key `target`, in a bucket without sending it again; may replace."""
        try:
            obstore.rename(self._store, source, target)
        except (BaseError, OSError) as error:
            raise storage_error(error, source) from error

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
        """Bytes start..end (end excluded; None: to the last) in pieces of about 1 MiB; NOT_FOUND, UNAVAILABLE."""
        size = self.size(key)
        if size is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "nothing-stored", key=key)
        stop = size if end is None else min(end, size)
        for offset in range(start, stop, _CHUNK):
            yield self._read_range(key, offset, min(offset + _CHUNK, stop))

    def _read_range(self, key: str, start: int, end: int) -> bytes:
        try:
            return bytes(obstore.get_range(self._store, key, start=start, end=end))
        except FileNotFoundError as error:  # deleted since it was looked at
            raise ChorusError(ErrorKind.NOT_FOUND, "nothing-stored", key=key) from error
        except BaseError as error:
            raise storage_error(error, key) from error

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

    def used(self, prefix: str) -> int:
        """Bytes of all files below `prefix`."""
        return sum(entry["size"] for page in obstore.list(self._store, prefix=prefix) for entry in page)

    def older(self, prefix: str, seconds: float) -> Iterator[str]:
        """Every key below `prefix` that was written longer ago than that."""
        oldest = datetime.now(UTC) - timedelta(seconds=seconds)
        for page in obstore.list(self._store, prefix=prefix):
            yield from (entry["path"] for entry in page if entry["last_modified"] < oldest)

    def free(self) -> int | None:
        """Bytes that still fit; None for a bucket."""
        return None if self._folder is None else shutil.disk_usage(self._folder).free

    def shares_disk(self, folder: Path) -> bool:
        """True when files of that folder become the store's without being copied."""
        return self._folder is not None and self._folder.stat().st_dev == folder.stat().st_dev

    def sweep(self) -> None:
        """Remove what writers that were killed left half written in a folder; a bucket's own rules do it there."""
        if self._folder is None:
            return
        oldest = time.time() - _STALE_SECONDS
        # obstore writes `name#1` beside the key before it renames, and hides such files from every listing.
        for path in (*self._folder.glob("staging/*"), *self._folder.rglob("*#[0-9]*")):
            with suppress(FileNotFoundError):
                if path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        """A local path with the content of `key`, valid inside the block; for a folder the file itself, read only."""
        if self.size(key) is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "nothing-stored", key=key)
        if self._folder is not None:
            yield self._folder / key
            return
        with TemporaryDirectory(dir=self._scratch) as folder:
            path = Path(folder) / Path(key).name
            with path.open("wb") as target:
                for piece in self.read(key):
                    target.write(piece)
            yield path


@contextmanager
def _as_buffer(source: Path | BinaryIO) -> Iterator[bytes | mmap.mmap]:
    """The content without a copy in memory: the kernel reads it from the file while it is sent."""
    if not isinstance(source, Path):
        yield source.read()
        return
    with source.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def storage_error(error: Exception, key: str) -> ChorusError:
    """The typed error behind a failed write or read: a full disk is told apart from a store that does not answer."""
    if is_disk_full(error):
        return ChorusError(ErrorKind.STORAGE_FULL, "storage-full", name=key)
    return ChorusError(ErrorKind.UNAVAILABLE, "store-failed", key=key, reason=str(error) or repr(error))
