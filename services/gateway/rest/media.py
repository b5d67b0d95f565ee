"""The REST door: routes of uploads that are complete, and of the look for their faces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from sse_starlette import EventSourceResponse

from services.gateway.operations.bounds import FileName, Id, Limit, MediaKind, Offset
from services.gateway.rest import schemas_media
from services.gateway.rest.downloads import send_changes, send_file
from services.gateway.rest.parameters import PING_SECONDS, REFUSALS, Ops, Owner, Who, owner_filter
from services.gateway.rest.uploads import receive_file
from services.library.findings import Preflight

router = APIRouter(prefix="/v1/media", tags=["media"], responses=REFUSALS)

_UPLOAD_DOC: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("", status_code=201, openapi_extra=_UPLOAD_DOC)
async def upload_media(
    request: Request,
    operations: Ops,
    caller: Who,
    name: Annotated[FileName, Query(description="The file's name, when it is sent as raw body")] = "file",
) -> schemas_media.MediaBody:
    """Upload a recording or a photo: as the form field `file`, or as raw body with ?name=."""
    with await asyncio.to_thread(operations.intake.receive, name) as upload:
        await receive_file(request, upload)
        media = await operations.looks.run(operations.intake.create, upload, owner=caller.owner)
        return schemas_media.media_body(media)


@router.get("")
def list_media(
    operations: Ops,
    caller: Who,
    owner: Owner = "all",
    kind: MediaKind | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> schemas_media.MediaPageBody:
    """Uploads: the caller's own first, then newest first."""
    items, total = operations.media.list(
        owner=owner_filter(owner, caller), kind=kind, first=caller.owner, limit=limit, offset=offset
    )
    return schemas_media.MediaPageBody(items=[schemas_media.media_body(media) for media in items], total=total)


@router.get("/{media_id}")
def get_media(media_id: Id, operations: Ops) -> schemas_media.MediaBody:
    """What an upload is."""
    return schemas_media.media_body(operations.media.get(media_id))


@router.delete("/{media_id}", status_code=204)
def delete_media(media_id: Id, operations: Ops) -> None:
    """Delete an upload that no unfinished job needs."""
    operations.media.delete(media_id)


@router.head("/{media_id}/content", include_in_schema=False)
@router.get("/{media_id}/content", response_class=Response)
def get_content(media_id: Id, request: Request, operations: Ops) -> Response:
    """The recording as it was uploaded; ranges are served."""
    return send_file(request, operations.media.open_content(media_id), operations.outputs.read, disposition="inline")


@router.head("/{media_id}/thumbnail", include_in_schema=False)
@router.get("/{media_id}/thumbnail", response_class=Response)
def get_thumbnail(media_id: Id, request: Request, operations: Ops) -> Response:
    """A small JPEG of the first picture."""
    return send_file(request, operations.media.open_thumbnail(media_id), operations.outputs.read, disposition="inline")


@router.post("/{media_id}/preflight", status_code=202)
def start_preflight(media_id: Id, operations: Ops) -> schemas_media.PreflightBody:
    """Look for faces before anything is rendered; once for each content."""
    return schemas_media.PreflightBody.model_validate(operations.preflights.start(media_id))


@router.get("/{media_id}/preflight")
def get_preflight(media_id: Id, operations: Ops) -> schemas_media.PreflightBody:
    """How far the look for faces is, and what was found."""
    return schemas_media.PreflightBody.model_validate(operations.preflights.get(media_id))


@router.delete("/{media_id}/preflight", status_code=204)
def cancel_preflight(media_id: Id, operations: Ops) -> None:
    """Stop looking for faces."""
    operations.preflights.cancel(media_id)


@router.get("/{media_id}/preflight/events", response_class=EventSourceResponse)
def get_preflight_events(media_id: Id, operations: Ops) -> EventSourceResponse:
    """Server-sent events: `progress` with the preflight after each change, at last `finished`."""
    operations.preflights.get(media_id)  # refused before the stream begins
    changes = _preflight_texts(operations.preflights.watch(media_id))
    return EventSourceResponse(send_changes(changes), ping=PING_SECONDS)


async def _preflight_texts(changes: AsyncIterator[Preflight]) -> AsyncIterator[str]:
    async for preflight in changes:
        yield schemas_media.PreflightBody.model_validate(preflight).model_dump_json()
