"""The REST door: the models of the installation, for admins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field
from sse_starlette import EventSourceResponse

from services.gateway.operations.bounds import Bytes, FamilyName, FileName, Id, LicenceText, Limit
from services.gateway.operations.import_rows import ImportStage, ImportState, ModelImport
from services.gateway.operations.receiving import Receivers
from services.gateway.rest.downloads import send_changes
from services.gateway.rest.parameters import PING_SECONDS, REFUSALS, Ops, Who
from services.gateway.rest.schemas import Body, JobErrorBody
from services.gateway.rest.tus import request_body
from services.library.resumable import Purpose

router = APIRouter(prefix="/v1", tags=["models"], responses=REFUSALS)
Name = Annotated[FamilyName, Query(description="What to call it: a to z, digits, - and _; empty: after its net")]
Licence = Annotated[LicenceText, Query(description="Shown wherever it can be chosen; empty: research only")]
_FILE: Final = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


class ModelBody(Body):
    """A lip-sync method. What stands below `imported` is known of imported ones only."""

    name: str
    licence: str
    description: str
    engine: str = Field(description="What computes it: library, device, precision; empty where it is not known")
    imported: bool
    bytes: int | None
    imported_at: datetime | None
    recognised: str
    container: str = Field(description="The form of the file that it came from")
    sha256: str = Field(description="Of that file")
    side: int | None = Field(description="Pixels of its face pictures")
    steps: int | None = Field(description="Of 255, by which what is served differed at most from the file's net")


class ImportBody(Body):
    """A file that becomes a model, or has."""

    id: str
    name: str = Field(description="Of the model; empty until it is done, where nobody has asked for one")
    licence: str
    file_name: str
    owner: str
    state: ImportState
    stage: ImportStage
    error: JobErrorBody | None
    created_at: datetime


@router.get("/models")
def list_models(operations: Ops) -> list[ModelBody]:
    """The lip-sync methods with what admins want to know of them; for admins."""
    return [ModelBody.model_validate(model) for model in operations.models.list()]


@router.get("/models/{name}")
def get_model(name: FamilyName, operations: Ops) -> ModelBody:
    """One of them; for admins."""
    return ModelBody.model_validate(operations.models.get(name))


@router.delete("/models/{name}", status_code=204)
def remove_model(name: FamilyName, operations: Ops) -> None:
    """Remove one that was imported; jobs that still want it fail. For admins."""
    operations.models.remove(name)


@router.post("/imports", status_code=202, openapi_extra={"requestBody": {"required": True, **_FILE}})
async def import_file(
    request: Request,
    operations: Ops,
    caller: Who,
    content_length: Annotated[Bytes, Header(description="Bytes of the file")],
    file_name: Annotated[FileName, Query(description="What the file is called")] = "file",
    name: Name = "",
    licence: Licence = "",
) -> ImportBody:
    """Import a Wav2Lip (.pth, TorchScript, safetensors, ONNX) that is sent as raw body; for admins.

    Large files are better sent to /v1/uploads with the purpose model, which goes on where it broke off.
    """
    upload = await asyncio.to_thread(
        operations.uploads.create, file_name, content_length, owner=caller.owner, purpose=Purpose.MODEL
    )
    receivers: Receivers = request.app.state.receivers
    try:
        await receivers.receive(upload, 0, request_body(request, upload.name))
        return await asyncio.to_thread(_start, operations, upload.id, caller.owner, name, licence)
    except BaseException:
        # Nobody knows its id.
        await asyncio.to_thread(operations.uploads.delete, upload.id)
        raise


@router.post("/uploads/{upload_id}/model", status_code=202)
def import_upload(upload_id: Id, operations: Ops, caller: Who, name: Name = "", licence: Licence = "") -> ImportBody:
    """Import a whole upload whose purpose is a model; asked again, the same import. For admins."""
    return _start(operations, upload_id, caller.owner, name, licence)


@router.get("/imports")
def list_imports(operations: Ops, limit: Limit = 50) -> list[ImportBody]:
    """The newest imports first; what ended is kept for thirty days. For admins."""
    return [import_body(each) for each in operations.models.imports.list(limit=limit)]


@router.get("/imports/{import_id}")
def get_import(import_id: Id, operations: Ops) -> ImportBody:
    """How far an import is, and why it failed; for admins."""
    return import_body(operations.models.imports.get(import_id))


@router.post("/imports/{import_id}/cancel")
def cancel_import(import_id: Id, operations: Ops) -> ImportBody:
    """End an import; for admins."""
    return import_body(operations.models.imports.cancel(import_id))


@router.get("/imports/{import_id}/events", response_class=EventSourceResponse)
def get_import_events(import_id: Id, operations: Ops) -> EventSourceResponse:
    """Server-sent events: `progress` with the import after each change, at last `finished`. For admins."""
    operations.models.imports.get(import_id)  # refused before the stream begins
    return EventSourceResponse(send_changes(_texts(operations.models.imports.watch(import_id))), ping=PING_SECONDS)


def import_body(found: ModelImport) -> ImportBody:
    """An import as REST shows it."""
    return ImportBody.model_validate(found)


def _start(operations: Ops, upload_id: str, owner: str, name: str, licence: str) -> ImportBody:
    return import_body(operations.models.imports.start(upload_id, owner=owner, name=name, licence=licence))


async def _texts(changes: AsyncIterator[ModelImport]) -> AsyncIterator[str]:
    async for found in changes:
        yield import_body(found).model_dump_json()
