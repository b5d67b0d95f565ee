"""Files of the gateway: receiving uploads, the keys that everything lies under, and names that are safe to show."""

from __future__ import annotations

import hashlib
import os
import re
import time
import unicodedata
import uuid
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.storage import Storage, storage_error

_NAME_BYTES: Final = 200
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')
_STALE_UPLOAD_SECONDS: Final = 24 * 3600.0


def media_key(sha256: str) -> str:
    """Where an upload lies: by its content, so the same file is stored once."""
    return f"media/{sha256}"


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
    taken: set[str] = set()
    names = []
    for video_name in video_names:
        stem = f"{_shorten(PurePosixPath(video_name).stem)} - {speech}"
        name, number = f"{stem}.mp4", 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem} ({number}).mp4"
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

    def keep(self, upload: Upload) -> str:
        """Store a finished upload by its content, and return its key."""
        key = media_key(upload.sha256)
        self.storage.put_file(key, upload.path, create_only=True)
        return key


def too_large(name: str, max_bytes: int) -> ChorusError:
    """The refusal of a file over the limit."""
    limit = f"{max_bytes / (1 << 20):.0f} MiB" if max_bytes >= 1 << 20 else f"{max_bytes} bytes"
    return ChorusError(ErrorKind.TOO_LARGE, f"{name} is larger than the limit of {limit}")
