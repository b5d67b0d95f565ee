"""The REST door: routes only. Every refusal has the same body, from the one table of errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from services import telemetry
from services.gateway import schemas
from services.gateway.batch_request import BatchRequest
from services.gateway.downloads import send_archive, send_file
from services.gateway.families.catalogue import FAMILY_CARDS
from services.gateway.jobs import JobFilter, JobState
from services.gateway.operations import Operations
from services.gateway.readiness import Readiness
from services.gateway.uploads import receive_file

_PING_SECONDS: Final = 15
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {"4XX": {"model": schemas.ErrorBody}}

router = APIRouter()
v1 = APIRouter(prefix="/v1", responses=_REFUSALS)


async def _operations(request: Request) -> Operations:
    operations: Operations = request.app.state.operations
    return operations


async def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


Ops = Annotated[Operations, Depends(_operations)]
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0)]
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


@v1.post("/media", status_code=201, tags=["media"], openapi_extra=_UPLOAD_DOC)
async def upload_media(
    request: Request,
    operations: Ops,
    name: Annotated[str, Query(max_length=1000, description="The file's name, when it is sent as raw body")] = "file",
) -> schemas.MediaBody:
    """Upload a recording or a photo: as the form field `file`, or as raw body with ?name=."""
    with await asyncio.to_thread(operations.media.receive, name) as upload:
        await receive_file(request, upload)
        return schemas.media_body(await asyncio.to_thread(operations.media.create, upload))


@v1.get("/media/{media_id}", tags=["media"])
def get_media(media_id: str, operations: Ops) -> schemas.MediaBody:
    """What an upload is."""
    return schemas.media_body(operations.media.get(media_id))


@v1.delete("/media/{media_id}", status_code=204, tags=["media"])
def delete_media(media_id: str, operations: Ops) -> None:
    """Delete an upload that no unfinished job needs."""
    operations.media.delete(media_id)


@v1.post("/batches", status_code=201, tags=["batches"])
def create_batch(
    body: schemas.NewBatchBody,
    operations: Ops,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> schemas.BatchBody:
    """Have every video speak the audio: one job each. The same Idempotency-Key makes no second batch."""
    request = BatchRequest(
        audio_id=body.audio_id,
        video_ids=body.video_ids,
        options=body.options.to_options(),
        idempotency_key=idempotency_key,
    )
    batch = operations.create_batch(request)
    return schemas.batch_body(batch, operations.jobs_of(batch.id))


@v1.get("/batches", tags=["batches"])
def list_batches(operations: Ops, limit: Limit = 50, offset: Offset = 0) -> schemas.BatchPageBody:
    """Batches, newest first."""
    batches, total = operations.list_batches(limit=limit, offset=offset)
    return schemas.BatchPageBody(items=[schemas.batch_summary(batch) for batch in batches], total=total)


@v1.get("/batches/{batch_id}", tags=["batches"])
def get_batch(batch_id: str, operations: Ops) -> schemas.BatchBody:
    """A batch with all its jobs."""
    return schemas.batch_body(operations.get_batch(batch_id), operations.jobs_of(batch_id))


@v1.post("/batches/{batch_id}/cancel", tags=["batches"])
def cancel_batch(batch_id: str, operations: Ops) -> schemas.BatchBody:
    """Cancel the jobs that have not finished."""
    return schemas.batch_body(operations.cancel_batch(batch_id), operations.jobs_of(batch_id))


@v1.get("/batches/{batch_id}/archive", tags=["batches"], response_class=Response)
def get_archive(batch_id: str, operations: Ops) -> Response:
    """The finished videos of a batch in one ZIP."""
    entries = operations.open_archive(batch_id)
    name = f"chorus {datetime.now(UTC):%Y-%m-%d} {batch_id[:8]}.zip"
    return send_archive(name, entries, operations.read)


@v1.get("/jobs", tags=["jobs"])
def list_jobs(
    operations: Ops,
    state: JobState | None = None,
    batch: Annotated[str | None, Query(max_length=64, description="A batch's id")] = None,
    name: Annotated[str | None, Query(max_length=200, description="Part of the output's or video's name")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> schemas.JobPageBody:
    """Jobs, newest batch first."""
    wanted = JobFilter(state=state, batch_id=batch, name=name)
    jobs, total = operations.list_jobs(wanted, limit=limit, offset=offset)
    return schemas.JobPageBody(items=[schemas.job_body(job) for job in jobs], total=total)


@v1.get("/jobs/{job_id}", tags=["jobs"])
def get_job(job_id: str, operations: Ops) -> schemas.JobBody:
    """One job."""
    return schemas.job_body(operations.get_job(job_id))


@v1.post("/jobs/{job_id}/cancel", tags=["jobs"])
def cancel_job(job_id: str, operations: Ops) -> schemas.JobBody:
    """End a job that has not finished."""
    return schemas.job_body(operations.cancel_job(job_id))


@v1.post("/jobs/{job_id}/retry", tags=["jobs"])
def retry_job(job_id: str, operations: Ops) -> schemas.JobBody:
    """Queue a failed or cancelled job again."""
    return schemas.job_body(operations.retry_job(job_id))


@v1.delete("/jobs/{job_id}", status_code=204, tags=["jobs"])
def delete_job(job_id: str, operations: Ops) -> None:
    """Delete a finished job and its output."""
    operations.delete_job(job_id)


@v1.head("/jobs/{job_id}/output", include_in_schema=False)
@v1.get("/jobs/{job_id}/output", tags=["jobs"], response_class=Response)
def get_output(job_id: str, request: Request, operations: Ops) -> Response:
    """The finished video; ranges are served."""
    return send_file(request, operations.open_output(job_id), operations.read, disposition="attachment")


@v1.head("/jobs/{job_id}/poster", include_in_schema=False)
@v1.get("/jobs/{job_id}/poster", tags=["jobs"], response_class=Response)
def get_poster(job_id: str, request: Request, operations: Ops) -> Response:
    """A picture of the finished video."""
    return send_file(request, operations.open_poster(job_id), operations.read, disposition="inline")


@v1.get("/jobs/{job_id}/events", tags=["jobs"], response_class=EventSourceResponse)
def get_events(job_id: str, operations: Ops) -> EventSourceResponse:
    """Server-sent events: `progress` with the job after each change, at last `finished`."""
    operations.get_job(job_id)  # refused before the stream begins
    return EventSourceResponse(_events(job_id, operations), ping=_PING_SECONDS)


async def _events(job_id: str, operations: Operations) -> AsyncIterator[ServerSentEvent]:
    job = None
    async for job in operations.watch_job_async(job_id):
        yield ServerSentEvent(schemas.job_body(job).model_dump_json(), event="progress")
    if job is not None:
        yield ServerSentEvent(schemas.job_body(job).model_dump_json(), event="finished")


@v1.get("/families", tags=["families"])
async def list_families() -> list[schemas.FamilyBody]:
    """The lip-sync methods that a batch may choose from, with their licences."""
    return [schemas.FamilyBody.model_validate(card) for card in FAMILY_CARDS.values()]


@router.get("/healthz", tags=["service"])
async def get_health() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@router.get("/readyz", tags=["service"], responses={503: {"model": schemas.ReadyBody}})
def get_readiness(readiness: Annotated[Readiness, Depends(_readiness)]) -> JSONResponse:
    """Whether jobs can be taken and rendered; names what is missing."""
    checks = readiness.check()
    ready = all(check.ready for check in checks)
    body = schemas.ReadyBody(ready=ready, checks=[schemas.CheckBody.model_validate(check) for check in checks])
    return JSONResponse(body.model_dump(), status_code=200 if ready else 503)


@router.get("/metrics", tags=["service"], response_class=Response)
def get_metrics(operations: Ops) -> Response:
    """This process's metrics and the queue's depth, for Prometheus."""
    counts = operations.count_states()
    for state in JobState:
        telemetry.queue_depth(state, counts[state])
    return Response(telemetry.metrics_text(), media_type=telemetry.METRICS_CONTENT_TYPE)
