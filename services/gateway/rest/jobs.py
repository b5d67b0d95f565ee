"""The REST door: routes of batches, jobs and the service itself. Every refusal has the same body."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse

from services import telemetry
from services.acting import current_actor
from services.gateway.operations.batch_request import BatchRequest
from services.gateway.operations.bounds import Id, Limit, Moment, NamePart, Offset
from services.gateway.rest import schemas
from services.gateway.rest.downloads import send_archive, send_changes, send_file
from services.gateway.rest.parameters import PING_SECONDS, REFUSALS, Ops, Owner, Who, owner_filter
from services.jobs.families import family_cards
from services.jobs.model import Job, JobFilter, JobState
from services.library.limits import CALL_IDS, NAME_LENGTH

router = APIRouter()
v1 = APIRouter(prefix="/v1", responses=REFUSALS)


@v1.post("/batches", status_code=201, tags=["batches"])
def create_batch(
    body: schemas.NewBatchBody,
    operations: Ops,
    caller: Who,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=NAME_LENGTH)] = None,
) -> schemas.BatchBody:
    """Have every video speak the audio: one job each. The same Idempotency-Key makes no second batch."""
    request = BatchRequest(
        audio_id=body.audio_id,
        video_ids=body.video_ids,
        options=body.options,
        idempotency_key=idempotency_key,
        owner=caller.owner,
        faces=body.faces,
        priority=body.priority,
    )
    batch = operations.create_batch(request)
    return schemas.batch_body(batch, operations.jobs_of(batch.id))


@v1.get("/batches", tags=["batches"])
def list_batches(operations: Ops, caller: Who, limit: Limit = 50, offset: Offset = 0) -> schemas.BatchPageBody:
    """Batches: the caller's own first, then newest first."""
    batches, total = operations.list_batches(limit=limit, offset=offset, first=caller.owner)
    return schemas.BatchPageBody(items=[schemas.batch_summary(batch) for batch in batches], total=total)


@v1.get("/batches/{batch_id}", tags=["batches"])
def get_batch(batch_id: Id, operations: Ops) -> schemas.BatchBody:
    """A batch with all its jobs."""
    return schemas.batch_body(operations.get_batch(batch_id), operations.jobs_of(batch_id))


@v1.post("/batches/{batch_id}/cancel", tags=["batches"])
def cancel_batch(batch_id: Id, operations: Ops) -> schemas.BatchBody:
    """Cancel the jobs that have not finished."""
    return schemas.batch_body(operations.cancel_batch(batch_id), operations.jobs_of(batch_id))


@v1.get("/batches/{batch_id}/archive", tags=["batches"], response_class=Response)
def get_archive(batch_id: Id, operations: Ops) -> Response:
    """The finished videos of a batch in one ZIP."""
    entries = operations.open_archive(batch_id)
    return send_archive(f"chorus {datetime.now(UTC):%Y-%m-%d} {batch_id[:8]}.zip", entries, operations.outputs.read)


@v1.get("/archive", tags=["jobs"], response_class=Response)
def get_jobs_archive(
    operations: Ops, job: Annotated[list[Id], Query(min_length=1, max_length=CALL_IDS, description="Ids of jobs")]
) -> Response:
    """The finished videos among some jobs in one ZIP."""
    entries = operations.open_jobs_archive(job)
    return send_archive(f"chorus {datetime.now(UTC):%Y-%m-%d}.zip", entries, operations.outputs.read)


@v1.get("/batches/{batch_id}/events", tags=["batches"], response_class=EventSourceResponse)
def get_batch_events(batch_id: Id, operations: Ops) -> EventSourceResponse:
    """Server-sent events: `progress` with all jobs after each change, at last `finished`."""
    operations.get_batch(batch_id)  # refused before the stream begins
    jobs = _jobs_texts(operations.watch_batch(batch_id))
    return EventSourceResponse(send_changes(jobs), ping=PING_SECONDS)


async def _jobs_texts(changes: AsyncIterator[list[Job]]) -> AsyncIterator[str]:
    async for jobs in changes:
        yield schemas.JobPageBody(items=[schemas.job_body(job) for job in jobs], total=len(jobs)).model_dump_json()


@v1.get("/jobs", tags=["jobs"])
def list_jobs(
    operations: Ops,
    caller: Who,
    state: JobState | None = None,
    batch: Annotated[Id | None, Query(description="A batch's id")] = None,
    name: Annotated[NamePart | None, Query(description="Part of the output's or video's name")] = None,
    owner: Owner = "all",
    since: Annotated[Moment | None, Query(description="Created at or after")] = None,
    until: Annotated[Moment | None, Query(description="Created before")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> schemas.JobPageBody:
    """Jobs: the caller's own first, then newest batch first."""
    wanted = JobFilter(
        state=state,
        batch_id=batch,
        name=name,
        owner=owner_filter(owner, caller),
        since=since,
        until=until,
        first=caller.owner,
    )
    jobs, total = operations.list_jobs(wanted, limit=limit, offset=offset)
    return schemas.JobPageBody(items=[schemas.job_body(job) for job in jobs], total=total)


@v1.post("/jobs/delete", tags=["jobs"])
def delete_jobs(body: schemas.JobIdsBody, operations: Ops) -> schemas.DeletedBody:
    """Delete those of the jobs that are finished, with their outputs."""
    return schemas.deleted_body(operations.outputs.delete_jobs(body.ids))


@v1.get("/jobs/{job_id}", tags=["jobs"])
def get_job(job_id: Id, operations: Ops) -> schemas.JobBody:
    """One job."""
    return schemas.job_body(operations.get_job(job_id))


@v1.post("/jobs/{job_id}/cancel", tags=["jobs"])
def cancel_job(job_id: Id, operations: Ops) -> schemas.JobBody:
    """End a job that has not finished."""
    return schemas.job_body(operations.cancel_job(job_id))


@v1.post("/jobs/{job_id}/retry", tags=["jobs"])
def retry_job(job_id: Id, operations: Ops) -> schemas.JobBody:
    """Queue a failed or cancelled job again."""
    return schemas.job_body(operations.retry_job(job_id))


@v1.delete("/jobs/{job_id}", status_code=204, tags=["jobs"])
def delete_job(job_id: Id, operations: Ops) -> None:
    """Delete a finished job and its output."""
    operations.outputs.delete_job(job_id)


@v1.head("/jobs/{job_id}/output", include_in_schema=False)
@v1.get("/jobs/{job_id}/output", tags=["jobs"], response_class=Response)
def get_output(
    job_id: Id,
    request: Request,
    operations: Ops,
    inline: Annotated[bool, Query(description="To be played, not saved")] = False,
) -> Response:
    """The finished video; ranges are served."""
    disposition = "inline" if inline else "attachment"
    return send_file(request, operations.outputs.open_video(job_id), operations.outputs.read, disposition=disposition)


@v1.head("/jobs/{job_id}/poster", include_in_schema=False)
@v1.get("/jobs/{job_id}/poster", tags=["jobs"], response_class=Response)
def get_poster(job_id: Id, request: Request, operations: Ops) -> Response:
    """A picture of the finished video."""
    return send_file(request, operations.outputs.open_poster(job_id), operations.outputs.read, disposition="inline")


@v1.get("/jobs/{job_id}/events", tags=["jobs"], response_class=EventSourceResponse)
def get_events(job_id: Id, operations: Ops) -> EventSourceResponse:
    """Server-sent events: `progress` with the job after each change, at last `finished`."""
    operations.get_job(job_id)  # refused before the stream begins
    return EventSourceResponse(send_changes(_job_texts(operations.watch_job(job_id))), ping=PING_SECONDS)


async def _job_texts(changes: AsyncIterator[Job]) -> AsyncIterator[str]:
    async for job in changes:
        yield schemas.job_body(job).model_dump_json()


@v1.get("/families", tags=["families"])
async def list_families() -> list[schemas.FamilyBody]:
    """The lip-sync methods that a batch may choose from, with their licences."""
    return [schemas.FamilyBody.model_validate(card) for card in family_cards().values()]


@v1.get("/dependencies", tags=["service"])
def list_dependencies(operations: Ops) -> list[schemas.CheckBody]:
    """Whether everything that uploads and jobs need answers: the database, the store, preprocess, Triton, a worker."""
    return [schemas.CheckBody.model_validate(check) for check in operations.readiness.dependencies()]


@router.get("/healthz", tags=["service"], responses={503: {"model": schemas.HungBody}})
async def get_health(request: Request) -> JSONResponse:
    """Whether the process does its work; if not, it is to be restarted. Names what does not go on."""
    hung: list[str] = request.app.state.watchdog.hung()
    body = schemas.HungBody(status="hung" if hung else "alive", hung=hung)
    return JSONResponse(body.model_dump(), status_code=503 if hung else 200)


@router.get("/readyz", tags=["service"], responses={503: {"model": schemas.ReadyBody}})
def get_readiness(operations: Ops) -> JSONResponse:
    """Whether this process can answer requests; names what is missing. See /v1/dependencies for the rest."""
    checks = operations.readiness.check()
    ready = all(check.ready for check in checks)
    body = schemas.ReadyBody(ready=ready, checks=[schemas.CheckBody.model_validate(check) for check in checks])
    return JSONResponse(body.model_dump(), status_code=200 if ready else 503)


@router.get("/metrics", tags=["service"], response_class=Response)
def get_metrics(request: Request) -> Response:
    """This process's metrics and the queue's depth, for Prometheus. They name owners."""
    current_actor().require_all()
    text, content_type = telemetry.metrics_text(request.headers.get("accept", ""))
    return Response(text, media_type=content_type)
