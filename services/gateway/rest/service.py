"""The REST door: routes of the installation itself: its limits, its disk, its log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.gateway.operations.bounds import Id, LogLines
from services.gateway.operations.run_log import LogLine
from services.gateway.rest import schemas
from services.gateway.rest.downloads import content_disposition
from services.gateway.rest.parameters import PING_SECONDS, REFUSALS, Ops
from services.jobs.model import JobState

_BLOCK_LINES: Final = 1000

router = APIRouter(prefix="/v1", tags=["service"], responses=REFUSALS)
Job = Annotated[Id | None, Query(description="Only lines of this job or batch")]


@router.get("/limits")
def get_limits(operations: Ops) -> schemas.LimitsBody:
    """What is accepted, and for how long it is kept."""
    return schemas.LimitsBody.model_validate(operations.limits_now())


@router.get("/queue")
def get_queue(operations: Ops) -> dict[JobState, int]:
    """How many jobs of the whole installation are in each state."""
    counts = operations.count_states()
    return {state: counts[state] for state in JobState}


@router.get("/disk")
def get_disk_use(operations: Ops) -> schemas.DiskUseBody:
    """How the store is filled."""
    return schemas.DiskUseBody.model_validate(operations.disk_use())


@router.get("/log", response_class=Response)
def get_log(
    operations: Ops,
    job: Job = None,
    lines: Annotated[LogLines | None, Query(description="Only the last ones; none: all that is kept")] = None,
) -> StreamingResponse:
    """The log of all processes as text."""
    headers = {"Content-Disposition": content_disposition("attachment", f"chorus {job or ''}".strip() + ".log")}
    text = _blocks(operations.log.lines(job, last=lines))
    return StreamingResponse(text, headers=headers, media_type="text/plain")


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    """Many lines at a time: each piece of an answer costs a change of threads."""
    left = iter(lines)
    while block := "".join(islice(left, _BLOCK_LINES)):
        yield block


@router.get("/log/follow", response_class=EventSourceResponse)
async def follow_log(operations: Ops, job: Job = None) -> EventSourceResponse:
    """Server-sent events: `line` with each line that is written from now on."""
    return EventSourceResponse(_line_events(operations.log.follow(job)), ping=PING_SECONDS)


async def _line_events(bundles: AsyncIterator[list[LogLine]]) -> AsyncIterator[ServerSentEvent]:
    async for lines in bundles:
        for line in lines:
            yield ServerSentEvent(line.whole, event="line")
