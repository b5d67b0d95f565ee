"""The bodies of the REST door: what comes in is checked here, what goes out is described here (OpenAPI)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.acting import Role
from services.gateway.operations.batch import Batch
from services.gateway.operations.bounds import Id, LoginName, Password
from services.jobs.model import Deleted, Job, JobState, Priority, Stage
from services.jobs.options import FaceRank, RenderOptions
from services.library.limits import BATCH_VIDEOS, CALL_IDS
from services.messages.catalogue import Value


class Body(BaseModel):
    """What all bodies have in common: nothing unknown comes in, and any object with the fields goes out."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class NewBatchBody(Body):
    """One driving audio and the videos that shall speak it."""

    audio_id: Id
    video_ids: list[Id] = Field(min_length=1, max_length=BATCH_VIDEOS)
    faces: dict[Id, FaceRank] = Field(
        default={}, description="Rank of the face to use, by video id; the others use options.face"
    )
    options: RenderOptions = RenderOptions()
    priority: Priority = Field(
        default=Priority.NORMAL, description="Of jobs that wait together, high gets two for each of normal, low half"
    )


class JobErrorBody(Body):
    """Why a job failed, or a preflight."""

    kind: str
    code: str = Field(description="Of the message; the same in every language")
    message: str = Field(description="In English")
    values: dict[str, Value] = Field(description="What the message is filled in with, by name")


class ProgressBody(Body):
    """How far a job is; may go back when another attempt starts."""

    stage: Stage
    frames_done: int
    frames_total: int
    frames_per_second: float
    seconds_left: float | None


class JobBody(Body):
    """One output that was asked for."""

    id: str
    batch_id: str
    index: int
    name: str = Field(description="The output's file name")
    video_name: str
    video_id: str
    audio_name: str
    audio_id: str
    owner: str
    state: JobState
    progress: ProgressBody | None
    attempt: int
    error: JobErrorBody | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    output_bytes: int | None


class JobPageBody(Body):
    """A page of jobs; total counts all that match."""

    items: list[JobBody]
    total: int


class JobIdsBody(Body):
    """Several jobs."""

    ids: list[Id] = Field(min_length=1, max_length=CALL_IDS)


class DeletedBody(Body):
    """What became of several jobs that were to be deleted."""

    deleted: list[str]
    refused: dict[str, str] = Field(description="Why, by job id")


class LimitsBody(Body):
    """What this installation accepts and keeps."""

    max_upload_bytes: int
    max_minutes: float
    retention_days: float = Field(description="0: kept until somebody deletes it")
    audio_suffixes: list[str]
    picture_suffixes: list[str]
    batch_videos: int = Field(description="Videos of one batch")
    page_items: int = Field(description="Items of one page of a list")
    call_ids: int = Field(description="Ids in one call that deletes or packs")
    least_side: int = Field(description="Pixels of a picture's shorter side")
    largest_side: int = Field(description="Pixels of a video's longer side; a photo's may be twice as long")
    most_frames_per_second: float = Field(description="Faster videos are thinned out")
    queued_jobs: int = Field(description="Jobs of the whole installation that may wait")
    owner_bytes: int = Field(description="Uploads and outputs that one owner may have, bytes; 0: no bound")
    owner_jobs: int = Field(description="Jobs of one owner that may wait or run; 0: no bound")
    least_free_bytes: int = Field(description="What would leave less room on a disk is refused; 0: no such bound")


class DiskUseBody(Body):
    """How the store is filled, bytes."""

    uploads_bytes: int
    outputs_bytes: int
    analyses_bytes: int
    free_bytes: int | None
    low: bool = Field(description="True while too little is free for new uploads and batches")


class LoginBody(Body):
    """A colleague's name and password."""

    name: LoginName
    password: Password


class SessionBody(Body):
    """Who the caller is."""

    owner: str
    name: str | None = Field(description="The login name, where there are accounts")
    role: Role = Field(description="viewer: sees and downloads; maker: makes and deletes; admin: also reads the audit")
    login_required: bool
    logged_in: bool = Field(description="False for who still has to log in, where that is required")


class BatchSummaryBody(Body):
    """A batch without its jobs."""

    id: str
    audio_name: str
    audio_id: str
    owner: str
    priority: Priority
    created_at: datetime
    counts: dict[JobState, int]


class BatchBody(BatchSummaryBody):
    """A batch with its jobs."""

    jobs: list[JobBody]


class BatchPageBody(Body):
    """A page of batches; total counts all."""

    items: list[BatchSummaryBody]
    total: int


class FamilyBody(Body):
    """A lip-sync method."""

    name: str
    licence: str
    description: str
    engine: str = Field(description="What computes its nets: library, device, precision; empty where it is not known")


class CheckBody(Body):
    """One thing that the gateway needs."""

    name: str
    ready: bool
    message: str


class HungBody(Body):
    """Whether the process goes on."""

    status: Literal["alive", "hung"]
    hung: list[str]
    """What of it does not"""


class ReadyBody(Body):
    """Whether jobs can be taken and rendered."""

    ready: bool
    checks: list[CheckBody]


def job_body(job: Job) -> JobBody:
    """A job as REST shows it."""
    return JobBody.model_validate(job)


def deleted_body(done: Deleted) -> DeletedBody:
    """What became of several jobs as REST shows it."""
    refused = {job_id: error.message for job_id, error in done.refused.items()}
    return DeletedBody(deleted=list(done.deleted), refused=refused)


def batch_summary(batch: Batch) -> BatchSummaryBody:
    """A batch in a list."""
    return BatchSummaryBody(**asdict(batch))


def batch_body(batch: Batch, jobs: Sequence[Job]) -> BatchBody:
    """A batch and its jobs as REST shows them."""
    return BatchBody(**asdict(batch), jobs=[job_body(job) for job in jobs])
