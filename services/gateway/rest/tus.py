"""The REST door for uploads that survive a broken connection: tus 1.0 with creation, expiration and termination."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from email.utils import format_datetime
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.errors import ChorusError, ErrorKind
from services.gateway.operations.bounds import Bytes, Id
from services.gateway.operations.receiving import Receivers
from services.gateway.rest import schemas_media
from services.gateway.rest.parameters import REFUSALS, Ops, Who
from services.library.resumable import Purpose, ResumableUpload

VERSION: Final = "1.0.0"
MEDIA_ID_HEADER: Final = "Chorus-Media-Id"
_PIECE_TYPE: Final = "application/offset+octet-stream"

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], responses=REFUSALS)


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
    upload_length: Annotated[Bytes, Header(description="Bytes of the whole file")],
    upload_metadata: Annotated[
        str, Header(max_length=4096, description="filename and its base64; purpose and that of media or model")
    ] = "",
) -> Response:
    """Begin an upload; its address is in the header Location."""
    _check_version(request)
    metadata = _metadata(upload_metadata)
    purpose = Purpose.named(metadata.get("purpose", ""))
    upload = operations.uploads.create(metadata.get("filename", ""), upload_length, owner=caller.owner, purpose=purpose)
    return _answer(201, {"Location": f"{request.url.path.rstrip('/')}/{upload.id}", **_state(upload)})


@router.head("/{upload_id}")
def get_offset(upload_id: Id, request: Request, operations: Ops, caller: Who) -> Response:
    """How many bytes have arrived."""
    _check_version(request)
    return _answer(200, _state(operations.uploads.get_own(upload_id, caller.owner)))


@router.patch("/{upload_id}", status_code=204)
async def go_on(
    upload_id: Id,
    request: Request,
    operations: Ops,
    caller: Who,
    upload_offset: Annotated[Bytes, Header(description="As HEAD tells it")],
) -> Response:
    """Send the bytes from an offset on; with the last of them the file becomes media, or is refused.

    One for a model waits until it is imported.
    """
    _check_version(request)
    if request.headers.get("content-type") != _PIECE_TYPE:
        raise HTTPException(415, f"Content-Type must be {_PIECE_TYPE}")
    upload = await asyncio.to_thread(operations.uploads.get_own, upload_id, caller.owner)
    receivers: Receivers = request.app.state.receivers
    upload = await receivers.receive(upload, upload_offset, request_body(request, upload.name))
    headers = _state(upload)
    if upload.offset == upload.length and upload.purpose is Purpose.MEDIA:
        media = await operations.looks.run(operations.uploads.finish, upload_id)
        headers[MEDIA_ID_HEADER] = media.id
    return _answer(204, headers)


@router.delete("/{upload_id}", status_code=204)
def delete_upload(upload_id: Id, request: Request, operations: Ops, caller: Who) -> Response:
    """Forget an upload and its bytes; media that were made of it stay."""
    _check_version(request)
    operations.uploads.delete(operations.uploads.get_own(upload_id, caller.owner).id)
    return _answer(204, {})


@router.get("/{upload_id}")
def get_upload(upload_id: Id, operations: Ops, caller: Who) -> schemas_media.ResumableUploadBody:
    """The same as HEAD, as JSON."""
    return schemas_media.ResumableUploadBody.model_validate(operations.uploads.get_own(upload_id, caller.owner))


@router.post("/{upload_id}/media")
async def finish_upload(upload_id: Id, operations: Ops, caller: Who) -> schemas_media.MediaBody:
    """The media that a whole upload has become; for a client that missed the answer to its last piece."""
    upload = await asyncio.to_thread(operations.uploads.get_own, upload_id, caller.owner)
    return schemas_media.media_body(await operations.looks.run(operations.uploads.finish, upload.id))


async def request_body(request: Request, name: str) -> AsyncIterator[bytes]:
    """What is sent, piece by piece; CONFLICT when it breaks off."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        raise ChorusError(ErrorKind.CONFLICT, "upload-broke-off", name=name) from None


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
