"""What every door calls: batches, jobs and their files. Plain data in and out, ChorusError for refusals."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from services import telemetry
from services.acting import current_actor, deed
from services.errors import ChorusError, ErrorKind
from services.gateway.operations.audit import AuditLog
from services.gateway.operations.batch import Batch, batch_of
from services.gateway.operations.batch_request import BatchRequest, check_kinds, job_rows
from services.gateway.operations.drafts import Drafts
from services.gateway.operations.models import Models
from services.gateway.operations.readiness import Readiness
from services.gateway.operations.run_log import RunLog
from services.jobs import attempts, moments, tables
from services.jobs.engine.queue import JobQueue
from services.jobs.model import FINISHED, Job, JobFilter, JobState
from services.jobs.owners import owner_shown
from services.jobs.visibility import others_last, seen
from services.jobs.watching import Watch
from services.library.artifacts import Artifacts
from services.library.disk import DiskUse, measure_disk
from services.library.intake import Intake
from services.library.limits import BATCH_VIDEOS, LARGEST_OFFSET, Limits, check_ids
from services.library.media import MediaLibrary, find_media
from services.library.outputs import Outputs
from services.library.preflight import Preflights
from services.library.quotas import Quotas
from services.library.resumable import ResumableUploads
from services.library.retention import RetentionRule
from services.library.room import Room
from services.library.stored_file import StoredFile
from services.threaded import Desk

_log = logging.getLogger(__name__)

_LOOKS_AT_ONCE: Final = 16
_LOOKS_WAITING: Final = 200


class Operations:
    """Batches and jobs of one installation; safe to share by threads. Its parts are what else a door may call."""

    def __init__(
        self,
        database: sa.Engine,
        queue: JobQueue,
        artifacts: Artifacts,
        *,
        media: MediaLibrary,
        intake: Intake,
        outputs: Outputs,
        uploads: ResumableUploads,
        preflights: Preflights,
        models: Models,
        log: RunLog,
        limits: Limits,
        quotas: Quotas,
        retention: RetentionRule,
        room: Room,
        readiness: Readiness,
        drafts: Drafts,
        audit: AuditLog,
    ) -> None:
        self.media = media
        self.intake = intake
        self.outputs = outputs
        self.uploads = uploads
        self.preflights = preflights
        self.models = models
        self.log = log
        self.limits = limits
        self.retention = retention
        self.room = room
        self.readiness = readiness
        self.drafts = drafts
        self.audit = audit
        self.sweeps = (uploads.sweep, intake.sweep, drafts.sweep, audit.sweep, models.imports.sweep)
        """Upkeep: to be called now and then, each for itself"""
        self.looks = Desk("look", _LOOKS_AT_ONCE, _LOOKS_WAITING, _too_many_uploads)
        """For what waits until preprocess has looked into a file: all else goes on meanwhile"""
        self._database = database
        self._queue = queue
        self._artifacts = artifacts
        self._quotas = quotas
        self._jobs = Watch(queue.find, lambda job: job.state in FINISHED)
        self._batches = Watch(self.jobs_of, lambda jobs: all(job.state in FINISHED for job in jobs))
        self._disk = Watch(lambda _: measure_disk(artifacts.storage, room), lambda _: False)

    @deed("batch.create")
    def create_batch(self, request: BatchRequest) -> Batch:
        """One job for each video, all or none. The same key with the same request returns the batch made before."""
        request.check()
        batch_id = uuid.uuid4().hex
        about: telemetry.Attributes = {"chorus.batch.id": batch_id, "chorus.jobs": len(request.video_ids)}
        try:
            with telemetry.at_work(batch_id=batch_id), telemetry.span("create batch", about):
                self._insert_batch(batch_id, request)
        except sa.exc.IntegrityError:
            batch_id = self._find_same_batch(request)
        return self.get_batch(batch_id)

    def get_batch(self, batch_id: str) -> Batch:
        """One batch; NOT_FOUND when there is none."""
        with tables.transaction(self._database) as connection:
            wanted = sa.select(tables.batches).where(tables.batches.c.id == batch_id, seen(tables.batches))
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "batch-unknown", batch=batch_id)
        return batch_of(row, self._queue.count_states([batch_id]))

    def list_batches(self, *, limit: int, offset: int, first: str = "") -> tuple[list[Batch], int]:
        """A page of batches and how many there are in all: `first`'s own before all others, newest first."""
        _check_offset(offset)
        visible = seen(tables.batches)
        page = (
            sa.select(tables.batches)
            .where(visible)
            .order_by(others_last(tables.batches, first), tables.batches.c.created_ms.desc(), tables.batches.c.id)
        )
        with tables.transaction(self._database) as connection:
            rows = connection.execute(page.limit(limit).offset(offset)).all()
            count = sa.select(sa.func.count()).select_from(tables.batches).where(visible)
            total = connection.execute(count).scalar_one()
        counts = self._queue.count_states([row.id for row in rows])
        return [batch_of(row, counts) for row in rows], int(total)

    @deed("batch.cancel")
    def cancel_batch(self, batch_id: str) -> Batch:
        """Cancel what is not finished; the rest stays as it is."""
        self.get_batch(batch_id)
        self._queue.cancel([job.id for job in self.jobs_of(batch_id)])
        return self.get_batch(batch_id)

    def jobs_of(self, batch_id: str) -> list[Job]:
        """All jobs of a batch, in order."""
        return self._queue.page(JobFilter(batch_id=batch_id), limit=BATCH_VIDEOS, offset=0)[0]

    def jobs_by_batch(self, batch_ids: Sequence[str]) -> Mapping[str, list[Job]]:
        """All jobs of several batches, in order."""
        return self._queue.of_batches(batch_ids)

    def count_unfinished(self, owner: str) -> int:
        """How many of an owner's jobs are queued or running."""
        return self._queue.count_unfinished(owner)

    def list_jobs(self, wanted: JobFilter, *, limit: int, offset: int) -> tuple[list[Job], int]:
        """A page of jobs and how many there are in all."""
        _check_offset(offset)
        return self._queue.page(wanted, limit=limit, offset=offset)

    def get_job(self, job_id: str) -> Job:
        """One job; NOT_FOUND when there is none."""
        return self._queue.find(job_id)

    async def watch_job(self, job_id: str) -> AsyncIterator[Job]:
        """The job now and after each change, until it is finished."""
        async for job in self._jobs.follow(job_id):
            # A look is shared with others, who may see more.
            if not current_actor().sees(job.owner):
                raise ChorusError(ErrorKind.NOT_FOUND, "job-unknown", job=job_id)
            yield job

    async def watch_batch(self, batch_id: str) -> AsyncIterator[list[Job]]:
        """All jobs of a batch now and after each change, until all are finished."""
        async for jobs in self._batches.follow(batch_id):
            if not all(current_actor().sees(job.owner) for job in jobs):
                raise ChorusError(ErrorKind.NOT_FOUND, "batch-unknown", batch=batch_id)
            yield jobs

    def open_archive(self, batch_id: str) -> list[StoredFile]:
        """The finished videos of a batch, their names all different; CONFLICT while there is none."""
        self.get_batch(batch_id)
        return self.outputs.open_all(self.jobs_of(batch_id))

    def open_jobs_archive(self, job_ids: Sequence[str]) -> list[StoredFile]:
        """The finished videos among some jobs, their names all different; CONFLICT when there is none."""
        check_ids(job_ids)
        return self.outputs.open_all([self._queue.find(job_id) for job_id in dict.fromkeys(job_ids)])

    @deed("job.cancel")
    def cancel_job(self, job_id: str) -> Job:
        """End a job; CONFLICT when it has finished already."""
        job = self._queue.find(job_id)
        if job.state in FINISHED:
            raise ChorusError(ErrorKind.CONFLICT, "job-ended", name=job.name, state=job.state.value)
        self._queue.cancel([job_id])
        return self._queue.find(job_id)

    @deed("job.retry")
    def retry_job(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again; CONFLICT for others, or when its uploads are gone."""
        job = self._queue.find(job_id)
        if job.state not in (JobState.FAILED, JobState.CANCELLED):
            raise ChorusError(ErrorKind.CONFLICT, "job-not-failed", name=job.name, state=job.state.value)
        with tables.transaction(self._database) as connection:
            spec = attempts.find_spec(connection, job_id)
            self._quotas.check_jobs(connection, job.owner, 1)
        self.room.check()
        for key, name in ((spec.video_key, spec.video_name), (spec.audio_key, spec.audio_name)):
            if self._artifacts.storage.size(key) is None:
                raise ChorusError(ErrorKind.CONFLICT, "media-deleted", name=name)
        self._queue.retry(job_id)
        return self._queue.find(job_id)

    def count_states(self) -> Counter[JobState]:
        """Jobs of the whole installation by state."""
        return sum(self._queue.count_states().values(), Counter())

    def queue_depth(self) -> telemetry.QueueDepth:
        """What a scrape shows of the queue."""
        return self._queue.depth()

    def limits_now(self) -> Limits:
        """What is accepted, with the days that an admin may have set."""
        return replace(self.limits, retention_days=self.retention.days())

    def disk_use(self) -> DiskUse:
        """How the store is filled, as it was at most a second ago."""
        return self._disk.look("")

    def _insert_batch(self, batch_id: str, request: BatchRequest) -> None:
        created = moments.now_ms()
        audio_name = sa.select(tables.media.c.name).where(tables.media.c.id == request.audio_id).scalar_subquery()
        with tables.transaction(self._database) as connection:
            # Written first: it takes SQLite's write lock, so that no upload is deleted between the look and the use.
            connection.execute(
                sa.insert(tables.batches).values(
                    id=batch_id,
                    audio_name=sa.func.coalesce(audio_name, ""),
                    audio_id=request.audio_id,
                    owner=request.owner,
                    priority=request.priority,
                    idempotency_key=request.idempotency_key,
                    request_digest=request.digest,
                    created_ms=created,
                )
            )
            # Not before: the same request once more is answered with the batch that it made.
            self.room.check()
            found = find_media(connection, [request.audio_id, *request.video_ids])
            audio, videos = found[request.audio_id], [found[each] for each in request.video_ids]
            check_kinds(audio, videos)
            for media in (audio, *videos):
                self.limits.check_length(media.name, media.seconds)
            rows = job_rows(batch_id, audio, videos, request, created)
            self._quotas.check_jobs(connection, request.owner, len(rows))
            connection.execute(sa.insert(tables.jobs), rows)
            self._queue.enqueue(
                connection,
                [row["id"] for row in rows],
                request.owner,
                most_waiting=self.limits.queued_jobs,
                priority=request.priority,
            )
        owner, seconds = owner_shown(request.owner), audio.seconds * len(rows)
        telemetry.jobs_created(owner, request.options.family, len(rows), seconds)
        _log.info("batch %s: %d jobs for %s", batch_id, len(rows), audio.name, extra={"job_id": batch_id})

    def _find_same_batch(self, request: BatchRequest) -> str:
        same = sa.select(tables.batches).where(tables.batches.c.idempotency_key == request.idempotency_key)
        with tables.transaction(self._database) as connection:
            row = connection.execute(same).one_or_none()
        if row is None or row.request_digest != request.digest:
            raise ChorusError(ErrorKind.CONFLICT, "idempotency-key-used", key=request.idempotency_key or "")
        return str(row.id)


def _too_many_uploads() -> ChorusError:
    return ChorusError(ErrorKind.OVERLOADED, "too-many-uploads")


def _check_offset(offset: int) -> None:
    if offset > LARGEST_OFFSET:
        raise ChorusError(ErrorKind.INVALID_INPUT, "list-offset-too-large", limit=LARGEST_OFFSET)
