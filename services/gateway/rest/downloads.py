"""Sending over HTTP: stored files by ranges, many in one ZIP never held in memory, names in any script, events."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import chain
from typing import Final
from urllib.parse import quote

from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.library.archive import Reader, zip_pieces
from services.library.stored_file import StoredFile

# What a quoted string of a header cannot hold as it is; a question mark stood for other letters since the beginning.
_NOT_PLAIN: Final = re.compile(r'[^ -~]|["\\?]')
# More digits than any size has; int() refuses some thousands of them.
_MOST_DIGITS: Final = 18


def content_disposition(kind: str, name: str) -> str:
    """The header that names a download; UTF-8 for browsers, ASCII for the rest."""
    plain = _NOT_PLAIN.sub("_", name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def send_file(request: Request, file: StoredFile, read: Reader, *, disposition: str) -> Response:
    """The whole file, the one range that was asked for (206), nothing new (304), or no such range (416)."""
    etag = f'"{file.version}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        # A retried job publishes other bytes under the same address.
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition(disposition, file.name),
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    wanted = None
    if request.headers.get("if-range", etag) == etag:
        wanted = parse_range(request.headers.get("range", ""), file.bytes)
    start, end = wanted or (0, file.bytes)
    if start >= end and wanted is not None:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.bytes}"})
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.bytes}"
    headers["Content-Length"] = str(end - start)
    status = 200 if wanted is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=file.media_type)
    return StreamingResponse(_begun(read(file, start, end)), status, headers, file.media_type)


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same with the first piece there: a store that does not answer is an error, and not half of an answer."""
    return chain([next(pieces, b"")], pieces)


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; first >= last when there is nothing there; None: send the whole file.

    Several ranges at once, and what is no range of bytes at all, get the whole file, as RFC 9110 allows.
    """
    unit, _, ranges = header.partition("=")
    first, dash, last = ranges.strip().partition("-")
    if unit.strip() != "bytes" or not dash or not _digits(first + last):
        return None
    if not first:
        return max(0, size - _number(last)), size
    if last and _number(last) < _number(first):
        return None
    return _number(first), min(_number(last) + 1, size) if last else size


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


async def send_changes(texts: AsyncIterator[str]) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `progress` with each text, and at the end `finished` with the last one once more."""
    text = None
    async for text in texts:
        yield ServerSentEvent(text, event="progress")
    if text is not None:
        yield ServerSentEvent(text, event="finished")


def send_archive(name: str, entries: Sequence[StoredFile], read: Reader) -> Response:
    """A ZIP of files with different names, made while it is sent."""
    headers = {"Content-Disposition": content_disposition("attachment", name)}
    return StreamingResponse(zip_pieces(entries, read), headers=headers, media_type="application/zip")
