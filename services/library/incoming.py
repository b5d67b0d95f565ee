"""A file that is being received."""

from __future__ import annotations

import hashlib
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol

from services.errors import ChorusError, ErrorKind
from services.library.names import display_name
from services.storage import storage_error


class RoomLeft(Protocol):
    """Who knows how much still fits; see Room."""

    def check(self, name: str = "", *, scratch: int = 0, store: int = 0) -> None:
        """STORAGE_FULL when so many bytes more are too many."""


class IncomingFile:
    """A file that is being received; its bytes lie in a scratch file until the `with` block ends, whatever happens."""

    def __init__(self, folder: Path, name: str, max_bytes: int, room: RoomLeft) -> None:
        self.name = display_name(name)
        self.max_bytes = max_bytes
        self.size = 0
        self._room = room
        self.path = folder / uuid.uuid4().hex
        self._digest = hashlib.sha256()
        try:
            self._file = self.path.open("wb")
        except OSError as error:
            raise storage_error(error, self.name) from error

    def __enter__(self) -> IncomingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # What is still to be written nobody needs any more: on a full disk its error must not hide the first one.
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """Of the bytes written so far."""
        return self._digest.hexdigest()

    def rename(self, name: str) -> None:
        """Set what the user calls the file, when that was not known at the beginning."""
        self.name = display_name(name)

    def announce(self, size: int) -> None:
        """Say how many bytes will come: TOO_LARGE or STORAGE_FULL before the first of them."""
        if size > self.max_bytes:
            raise too_large(self.name, self.max_bytes)
        self._room.check(self.name, scratch=size, store=size)

    def write(self, piece: bytes) -> None:
        """Append; TOO_LARGE beyond the limit, STORAGE_FULL when the disk is full, or nearly so."""
        self.size += len(piece)
        if self.size > self.max_bytes:
            raise too_large(self.name, self.max_bytes)
        self._room.check(self.name)
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
            raise ChorusError(ErrorKind.INVALID_INPUT, "file-empty", name=self.name)


def too_large(name: str, max_bytes: int) -> ChorusError:
    """The refusal of a file over the limit."""
    return ChorusError(ErrorKind.TOO_LARGE, "too-large", name=name, limit=size_shown(max_bytes))


def size_shown(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / (1 << 20):.0f} MiB" if size >= 1 << 20 else f"{size} bytes"
