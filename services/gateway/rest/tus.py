"""The REST door for uploads that survive a broken connection: tus 1.0 with creation, expiration and termination."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from email.utils import format_datetime
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.errors import ChorusError, ErrorKind
from services.gateway.access.caller import Caller
from services.gateway.operations.batches import Operations
from services.gateway.rest import schemas_media
from services.gateway.rest.parameters import REFUSALS, Ops, Who
from services.library.resumable import ResumableUpload, ResumableUploads

VERSION: Final = "1.0.0"
MEDIA_ID_HEADER: Final = "Chorus-Media-Id"
_PIECE_TYPE: Final = "application/offset+octet-stream"
_PART_BYTES: Final = 8 << 20
_PAUSE_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 60.0

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], responses=REFUSALS)


class Receivers:
    """Which request of this process is writing each upload: a newer one ends an older one, which may hang half-dead.

    A courtesy to the older one: that bytes are not mixed up, also with those of other processes, the parts see to.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self, uploads: ResumableUploads, upload: ResumableUpload, body: AsyncIterator[bytes]) -> None:
        """Write the body's bytes behind those that have arrived; CONFLICT when a newer request takes over."""
        if (older := self._running.get(upload.id)) is not None:
            older.cancel()
            await asyncio.wait([older])
        task = self._running[upload.id] = asyncio.create_task(_receive(uploads, upload, body))
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                task.cancel()
                raise
            raise ChorusError(ErrorKind.CONFLICT, "upload-busy", name=upload.name) from None
        finally:
            if self._running.get(upload.id) is task:
                del self._running[upload.id]


@router.options("", status_code=204)
async def describe_tus(operations: Ops) -> Response:
    """What of tus is spoken here."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,expiration,termination",
        "Tus-Max-Size": str(operations.uploads.max_bytes),
    }
    return _answer(204, headers)


@router.post("", status_code=201)
def create_upload(
    request: Request,
    operations: Ops,
    caller: Who,
    upload_length: Annotated[int, Header(ge=0, description="Bytes of the whole file")],
    upload_metadata: Annotated[str, Header(max_length=4096, description="filename and its base64")] = "",
) -> Response:
    """Begin an upload; its address is in the header Location."""
    _check_version(request)
    name = _metadata(upload_metadata).get("filename", "")
    upload = operations.uploads.create(name, upload_length, owner=caller.owner)
    return _answer(201, {"Location": f"{request.url.path.rstrip('/')}/{upload.id}", **_state(upload)})


@router.head("/{upload_id}")
def get_offset(upload_id: str, request: Request, operations: Ops, caller: Who) -> Response:
    """How many bytes have arrived."""
    _check_version(request)
    return _answer(200, _state(_owned(operations, upload_id, caller)))


@router.patch("/{upload_id}", status_code=204)
async def go_on(
    upload_id: str,
    request: Request,
    operations: Ops,
    caller: Who,
    upload_offset: Annotated[int, Header(ge=0, description="As HEAD tells it")],
) -> Response:
    """Send the bytes from an offset on; with the last of them the file becomes media, or is refused."""
    _check_version(request)
    if request.headers.get("content-type") != _PIECE_TYPE:
        raise HTTPException(415, f"Content-Type must be {_PIECE_TYPE}")
    uploads, receivers = operations.uploads, request.app.state.receivers
    upload = await asyncio.to_thread(_owned, operations, upload_id, caller)
    if upload_offset != upload.offset:
        raise ChorusError(
            ErrorKind.CONFLICT, "upload-elsewhere", name=upload.name, offset=upload.offset, given=upload_offset
        )
    try:
        await receivers.run(uploads, upload, request.stream())
    finally:
        await asyncio.to_thread(uploads.keep_alive, upload_id)
    upload = await asyncio.to_thread(uploads.get, upload_id)
    headers = _state(upload)
    if upload.offset == upload.length:
        media = await asyncio.to_thread(uploads.finish, upload_id)
        headers[MEDIA_ID_HEADER] = media.id
    return _answer(204, headers)


@router.delete("/{upload_id}", status_code=204)
def delete_upload(upload_id: str, request: Request, operations: Ops, caller: Who) -> Response:
    """Forget an upload and its bytes; media that were made of it stay."""
    _check_version(request)
    operations.uploads.delete(_owned(operations, upload_id, caller).id)
    return _answer(204, {})


@router.get("/{upload_id}")
def get_upload(upload_id: str, operations: Ops, caller: Who) -> schemas_media.ResumableUploadBody:
    """The same as HEAD, as JSON."""
    return schemas_media.ResumableUploadBody.model_validate(_owned(operations, upload_id, caller))


@router.post("/{upload_id}/media")
def finish_upload(upload_id: str, operations: Ops, caller: Who) -> schemas_media.MediaBody:
    """The media that a whole upload has become; for a client that missed the answer to its last piece."""
    return schemas_media.media_body(operations.uploads.finish(_owned(operations, upload_id, caller).id))


async def _receive(uploads: ResumableUploads, upload: ResumableUpload, body: AsyncIterator[bytes]) -> None:
    """Keep what comes until the body ends or breaks off; what has arrived until then is kept."""
    waiting: list[bytes] = []
    offset, arrived = upload.offset, upload.offset
    try:
        async with aclosing(_spoken(body, upload.name)) as pieces:
            async for piece in pieces:
                arrived += len(piece)
                if arrived > upload.length:
                    raise ChorusError(ErrorKind.TOO_LARGE, "upload-too-long", name=upload.name, length=upload.length)
                if piece:
                    waiting.append(piece)
                # An empty piece: nothing came for a moment, and what is here may be all for long.
                if waiting and (not piece or arrived - offset >= _PART_BYTES):
                    content, waiting = b"".join(waiting), []
                    offset = await _uninterrupted(uploads, upload.id, offset, content)
    except ClientDisconnect:
        raise ChorusError(ErrorKind.CONFLICT, "upload-broke-off", name=upload.name) from None
    finally:
        if waiting:
            await _uninterrupted(uploads, upload.id, offset, b"".join(waiting))


async def _spoken(body: AsyncIterator[bytes], name: str) -> AsyncGenerator[bytes]:
    """The pieces of a body, and an empty one when none came for a moment; DEADLINE when it is silent for too long."""
    heard = time.monotonic()
    coming = asyncio.ensure_future(anext(body, None))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=_PAUSE_SECONDS)
            if done:
                piece = coming.result()
                if piece is None:
                    return
                heard = time.monotonic()
                coming = asyncio.ensure_future(anext(body, None))
                if piece:
                    yield piece
            elif time.monotonic() - heard > _SILENCE_SECONDS:
                raise ChorusError(ErrorKind.DEADLINE, "upload-silent", name=name, seconds=_SILENCE_SECONDS)
            else:
                yield b""
    finally:
        coming.cancel()


async def _uninterrupted(uploads: ResumableUploads, upload_id: str, offset: int, content: bytes) -> int:
    """Append in a thread, and be back only when that is done: whoever goes on with the upload asks for its length."""
    writing = asyncio.ensure_future(asyncio.to_thread(uploads.append, upload_id, offset, content))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise


def _owned(operations: Operations, upload_id: str, caller: Caller) -> ResumableUpload:
    upload = operations.uploads.get(upload_id)
    if upload.owner != caller.owner:
        raise ChorusError(ErrorKind.FORBIDDEN, "upload-of-another", name=upload.name)
    return upload


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise HTTPException(412, f"Send the header Tus-Resumable: {VERSION}", headers={"Tus-Version": VERSION})


def _metadata(header: str) -> dict[str, str]:
    """Pairs of a name and base64, separated by commas."""
    found = {}
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ChorusError(ErrorKind.INVALID_INPUT, "upload-metadata-unusable", key=key) from None
    return found


def _state(upload: ResumableUpload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.length),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
        **({MEDIA_ID_HEADER: upload.media_id} if upload.media_id is not None else {}),
    }


def _answer(status: int, headers: dict[str, str]) -> Response:
    return Response(status_code=status, headers={"Tus-Resumable": VERSION, "Cache-Control": "no-store", **headers})
