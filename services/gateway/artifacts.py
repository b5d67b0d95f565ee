"""Files of the gateway: receiving uploads, the keys that everything lies under, and names that are safe to show."""

from __future__ import annotations

import hashlib
import os
import re
import time
import unicodedata
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.gateway.stored_file import StoredFile
from services.storage import Storage, storage_error

_NAME_BYTES: Final = 200
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')
ANALYSES: Final = ("tracks", "speech", "coefficients")
"""Folders of what is computed once of an upload; below them a folder by its content"""
_STALE_UPLOAD_SECONDS: Final = 24 * 3600.0


def media_key(sha256: str) -> str:
    """Where an upload lies: by its content, so the same file is stored once."""
    return f"media/{sha256}"


def thumbnail_key(sha256: str) -> str:
    """Where the small picture of an upload lies."""
    return f"thumbnails/{sha256}.jpg"


def output_key(job_id: str) -> str:
    """Where a job's video lies: by the job, so that every attempt publishes the same file."""
    return f"outputs/{job_id}.mp4"


def poster_key(job_id: str) -> str:
    """Where a job's poster lies."""
    return f"posters/{job_id}.jpg"


def display_name(name: str) -> str:
    """A file name as the user knows it, without folders or anything a file system or header could trip over."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    # Control and format characters (Cc, Cf: also the marks that reverse text), lone surrogates (Cs).
    visible = "".join(letter for letter in last if unicodedata.category(letter) not in ("Cc", "Cf", "Cs"))
    clean = _FORBIDDEN.sub("_", visible).strip(" .")
    stem, suffix = PurePosixPath(clean or "file").stem, PurePosixPath(clean or "file").suffix[:16]
    room = _NAME_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore") + suffix


def output_names(video_names: Iterable[str], audio_name: str) -> list[str]:
    """One readable file name per video, all different (also where upper and lower case are the same)."""
    speech = _shorten(PurePosixPath(audio_name).stem)
    return different_names(f"{_shorten(PurePosixPath(video_name).stem)} - {speech}.mp4" for video_name in video_names)


def different_names(wanted: Iterable[str]) -> list[str]:
    """The names in order, with a number where one was taken already (also where upper and lower case are the same)."""
    taken: set[str] = set()
    names = []
    for each in wanted:
        stem, suffix = PurePosixPath(each).stem, PurePosixPath(each).suffix
        name, number = each, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem} ({number}){suffix}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _shorten(stem: str) -> str:
    return stem.encode()[: _NAME_BYTES // 2 - 10].decode(errors="ignore").strip()


class Upload:
    """A file that is being received; its bytes lie in a scratch file until the `with` block ends, whatever happens."""

    def __init__(self, folder: Path, name: str, max_bytes: int) -> None:
        self.name = display_name(name)
        self.max_bytes = max_bytes
        self.size = 0
        self.path = folder / uuid.uuid4().hex
        self.thumbnail = self.path.with_suffix(".jpg")
        self._digest = hashlib.sha256()
        self._file = self.path.open("wb")

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        finally:
            self.path.unlink(missing_ok=True)
            self.thumbnail.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """Of the bytes written so far."""
        return self._digest.hexdigest()

    def rename(self, name: str) -> None:
        """Set what the user calls the file, when that was not known at the beginning."""
        self.name = display_name(name)

    def write(self, piece: bytes) -> None:
        """Append; TOO_LARGE beyond the limit, STORAGE_FULL when the disk is full."""
        self.size += len(piece)
        if self.size > self.max_bytes:
            raise too_large(self.name, self.max_bytes)
        self._digest.update(piece)
        try:
            self._file.write(piece)
        except OSError as error:
            raise storage_error(error, self.name) from error

    def adopt(self, path: Path) -> None:
        """Take in a whole file of the same disk instead of pieces; it stays where it is, and nothing is copied."""
        with path.open("rb") as file:
            self._digest = hashlib.file_digest(file, "sha256")
        self.size = path.stat().st_size
        self.path.unlink()
        self.path.hardlink_to(path)

    def finish(self) -> None:
        """Call after the last piece: the file at `path` is complete then."""
        try:
            self._file.close()
        except OSError as error:
            raise storage_error(error, self.name) from error
        if self.size == 0:
            raise ChorusError(ErrorKind.INVALID_INPUT, f"{self.name} is empty: choose a file with content")


class Artifacts:
    """The store, and the scratch folder where uploads arrive."""

    def __init__(self, storage: Storage, scratch: Path, max_upload_bytes: int) -> None:
        self.storage = storage
        self.max_upload_bytes = max_upload_bytes
        self._folder = scratch / "uploads"
        self._folder.mkdir(parents=True, exist_ok=True)

    def receive(self, name: str) -> Upload:
        """Begin to receive a file; use it in a `with` block."""
        return Upload(self._folder, name, self.max_upload_bytes)

    def sweep_uploads(self) -> None:
        """Remove what uploads of a killed process left behind."""
        oldest = time.time() - _STALE_UPLOAD_SECONDS
        for entry in os.scandir(self._folder):
            if entry.stat().st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)

    def keep(self, upload: Upload) -> None:
        """Store a finished upload and its thumbnail by its content."""
        self.storage.put_file(media_key(upload.sha256), upload.path, create_only=True)
        if upload.thumbnail.exists():
            self.storage.put_file(thumbnail_key(upload.sha256), upload.thumbnail, create_only=True)

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
            raise ChorusError(ErrorKind.NOT_FOUND, f"{name} is no longer in the store")
        return StoredFile(
            key=key,
            name=name,
            bytes=size,
            media_type=media_type,
            version=f"{version}-{size}",
            modified_at=modified_at,
        )


def too_large(name: str, max_bytes: int) -> ChorusError:
    """The refusal of a file over the limit."""
    limit = f"{max_bytes / (1 << 20):.0f} MiB" if max_bytes >= 1 << 20 else f"{max_bytes} bytes"
    return ChorusError(ErrorKind.TOO_LARGE, f"{name} is larger than the limit of {limit}")
