"""Receiving a file over HTTP: multipart or raw body, straight into a scratch file, never as a whole in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from services.errors import ChorusError, ErrorKind
from services.library.incoming import IncomingFile, too_large

_WRITE_BYTES: Final = 1 << 20
_ENVELOPE_BYTES: Final = 64 << 10
_DRAIN_SECONDS: Final = 10.0


async def receive_file(request: Request, upload: IncomingFile) -> None:
    """Write the request's file into `upload`: the field `file` of a multipart form, or else the body as it is."""
    boundary = _boundary(request)
    body = request.stream()
    try:
        if int(request.headers.get("content-length") or 0) > upload.max_bytes + _ENVELOPE_BYTES:
            raise too_large(upload.name, upload.max_bytes)
        pieces = body if boundary is None else _file_pieces(body, boundary, upload)
        waiting: list[bytes] = []
        async for piece in pieces:
            waiting.append(piece)
            if sum(map(len, waiting)) >= _WRITE_BYTES:
                await asyncio.to_thread(upload.write, b"".join(waiting))
                waiting.clear()
        await asyncio.to_thread(upload.write, b"".join(waiting))
    except ClientDisconnect:
        raise ChorusError(ErrorKind.INVALID_INPUT, "upload-cut-off", name=upload.name) from None
    except MultipartParseError as error:
        raise ChorusError(ErrorKind.INVALID_INPUT, "form-unusable", reason=str(error)) from error
    except ChorusError:
        await _drain(body)
        raise


def _boundary(request: Request) -> bytes | None:
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        return None
    if b"boundary" not in parameters:
        raise ChorusError(ErrorKind.INVALID_INPUT, "form-without-boundary")
    return parameters[b"boundary"]


async def _drain(body: AsyncIterator[bytes]) -> None:
    """Read on for a while, so that the client sees our refusal instead of a broken connection."""
    end = time.monotonic() + _DRAIN_SECONDS
    try:
        async for _ in body:
            if time.monotonic() > end:
                return
    except ClientDisconnect:
        return


async def _file_pieces(body: AsyncIterator[bytes], boundary: bytes, upload: IncomingFile) -> AsyncIterator[bytes]:
    """The bytes of the form's field `file`; its name goes to `upload` before the first of them."""
    form = _Form(boundary)
    async for piece in body:
        found = form.feed(piece)
        if form.file_name is not None:
            upload.rename(form.file_name)
        if found:
            yield found
    if form.file_name is None:
        raise ChorusError(ErrorKind.INVALID_INPUT, "form-without-file")
    if not form.complete:
        raise ChorusError(ErrorKind.INVALID_INPUT, "upload-cut-off", name=upload.name)


class _Form:
    """Picks the first field named `file` out of a multipart stream."""

    def __init__(self, boundary: bytes) -> None:
        self.file_name: str | None = None
        self.complete = False
        self._in_file = False
        self._header = (b"", b"")
        self._disposition = b""
        self._found: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_to_header_name,
                "on_header_value": self._add_to_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._add_data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def feed(self, piece: bytes) -> bytes:
        """What of the file lies in the next piece of the body."""
        self._found = []
        self._parser.write(piece)
        return b"".join(self._found)

    def _begin_part(self) -> None:
        self._disposition = b""

    def _add_to_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], b"")

    def _add_to_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = (b"", b"")

    def _end_headers(self) -> None:
        _, parameters = parse_options_header(self._disposition)
        if self.file_name is None and parameters.get(b"name") == b"file":
            self._in_file = True
            self.file_name = parameters.get(b"filename", b"file").decode(errors="replace")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._found.append(data[start:end])

    def _end_part(self) -> None:
        self._in_file = False

    def _end(self) -> None:
        self.complete = True
