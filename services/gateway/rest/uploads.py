"""Receiving a file over HTTP: multipart or raw body, straight into a scratch file, never as a whole in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from services.errors import ChorusError, ErrorKind
from services.library.incoming import IncomingFile

_WRITE_BYTES: Final = 1 << 20
_ENVELOPE_BYTES: Final = 64 << 10
_DRAIN_SECONDS: Final = 10.0
_MOST_FIELDS: Final = 16
# RFC 2046
_BOUNDARY_LENGTH: Final = 70


async def receive_file(request: Request, upload: IncomingFile) -> None:
    """Write the request's file into `upload`: the field `file` of a multipart form, or else the body as it is."""
    boundary = _boundary(request)
    body = request.stream()
    try:
        upload.announce(max(0, int(request.headers.get("content-length") or 0) - _ENVELOPE_BYTES))
        pieces = body if boundary is None else _file_pieces(body, boundary, upload)
        waiting = bytearray()
        async for piece in pieces:
            waiting += piece
            if len(waiting) >= _WRITE_BYTES:
                await asyncio.to_thread(upload.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(upload.write, bytes(waiting))
    except ClientDisconnect:
        raise ChorusError(ErrorKind.INVALID_INPUT, "upload-cut-off", name=upload.name) from None
    except MultipartError as error:
        raise ChorusError(ErrorKind.INVALID_INPUT, "form-unusable", reason=str(error)) from error
    except ChorusError:
        await _drain(body)
        raise


def _boundary(request: Request) -> str | None:
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        return None
    boundary = str(parameters.get("boundary", ""))
    if not 1 <= len(boundary) <= _BOUNDARY_LENGTH:
        raise ChorusError(ErrorKind.INVALID_INPUT, "form-without-boundary")
    return boundary


async def _drain(body: AsyncIterator[bytes]) -> None:
    """Read on for a while, so that the client sees our refusal instead of a broken connection."""
    end = time.monotonic() + _DRAIN_SECONDS
    try:
        async for _ in body:
            if time.monotonic() > end:
                return
    except ClientDisconnect:
        return


async def _file_pieces(body: AsyncIterator[bytes], boundary: str, upload: IncomingFile) -> AsyncIterator[bytes]:
    """The bytes of the form's first field `file`; its name goes to `upload` before the first of them."""
    parser = PushMultipartParser(boundary, max_segment_count=_MOST_FIELDS, strict=True)
    found = False
    in_file = False
    async for piece in body:
        for event in parser.parse(piece) if piece else ():
            if isinstance(event, MultipartSegment):
                in_file = event.name == "file" and not found
                if in_file:
                    found = True
                    upload.rename(event.filename or "file")
            elif event is not None and in_file:
                yield bytes(event)
    try:
        parser.close()
    except MultipartError as error:
        raise ChorusError(ErrorKind.INVALID_INPUT, "upload-cut-off", name=upload.name) from error
    if not found:
        raise ChorusError(ErrorKind.INVALID_INPUT, "form-without-file")
