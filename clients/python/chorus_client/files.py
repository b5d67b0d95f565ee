"""Files on their way: read in pieces from any place on, and written beside their target until they are whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final
from uuid import uuid4

from chorus_client.errors import ChorusError, ErrorKind
from chorus_client.v1 import gateway_pb2 as pb

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and those of the whole; what it raises ends the transfer"""

_PIECE_BYTES: Final = 1 << 20


def append_requests(path: Path, upload: pb.ResumableUpload) -> Iterator[pb.AppendUploadRequest]:
    """The place where an upload goes on, and the file's content from there to the length that was announced."""
    yield pb.AppendUploadRequest(place=pb.UploadPlace(upload_id=upload.id, offset=upload.offset))
    # Opened for each try: gRPC may still read for an earlier one that broke.
    with path.open("rb") as file:
        file.seek(upload.offset)
        left = upload.length - upload.offset
        while left > 0:
            content = file.read(min(_PIECE_BYTES, left))
            if not content:
                raise OSError(f"{path} became shorter while it was uploaded")
            left -= len(content)
            yield pb.AppendUploadRequest(content=content)


class ReadAhead:
    """The requests of an upload for gRPC, which reads them in a thread of its own.

    What goes wrong there ends them, and is kept in `error`: gRPC would only log it.
    """

    def __init__(self, path: Path, upload: pb.ResumableUpload, progress: Progress | None) -> None:
        self.error: Exception | None = None
        self._path = path
        self._upload = upload
        self._progress = progress

    def __iter__(self) -> Iterator[pb.AppendUploadRequest]:
        sent = self._upload.offset
        try:
            for request in append_requests(self._path, self._upload):
                yield request
                sent += len(request.content)
                if self._progress is not None:
                    self._progress(sent, self._upload.length)
        except Exception as error:
            self.error = error


class PartialFile:
    """A download under way: beside its target, so that it becomes it by a rename; gone when the `with` block ends."""

    def __init__(self, target: Path) -> None:
        self.size = 0
        self._target = target
        self._part = target.with_name(f".{uuid4().hex}.part")
        self._file = self._part.open("xb")

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        """Append."""
        self._file.write(content)
        self.size += len(content)

    def keep(self, total: int) -> None:
        """Become the target, which may be replaced; INTERNAL when not all of the `total` bytes are there."""
        if self.size != total:
            raise ChorusError(
                ErrorKind.INTERNAL,
                "download-incomplete",
                f"{self._target.name} ended after {self.size} of {total} bytes",
                {"name": self._target.name, "bytes": self.size, "total": total},
            )
        self._file.close()
        self._part.replace(self._target)
