"""The finished videos: served, packed, and deleted with their jobs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

import sqlalchemy as sa

from services import telemetry
from services.acting import Role, deed, needs
from services.errors import ChorusError, ErrorKind
from services.jobs import tables
from services.jobs.engine.queue import JobQueue
from services.jobs.model import FINISHED, Deleted, Job, JobState
from services.library.artifacts import Artifacts
from services.library.keys import OUTPUTS, POSTERS, output_key, poster_key
from services.library.limits import check_ids
from services.library.names import different_names
from services.library.stored_file import StoredFile

_log = logging.getLogger(__name__)

_STALE_SECONDS: Final = 24 * 3600.0


class Outputs:
    """The outputs of one installation; safe to share by threads."""

    def __init__(self, database: sa.Engine, queue: JobQueue, artifacts: Artifacts) -> None:
        self._database = database
        self._queue = queue
        self._artifacts = artifacts

    def open_video(self, job_id: str) -> StoredFile:
        """The finished video; CONFLICT while the job has none."""
        job = self._queue.find(job_id)
        return self._open(job, output_key(job_id), job.name, "video/mp4")

    def open_poster(self, job_id: str) -> StoredFile:
        """A picture of the finished video; CONFLICT while the job has none."""
        job = self._queue.find(job_id)
        return self._open(job, poster_key(job_id), job.name.removesuffix(".mp4") + ".jpg", "image/jpeg")

    def open_all(self, jobs: Sequence[Job]) -> list[StoredFile]:
        """The finished videos among some jobs, their names all different; CONFLICT when there is none."""
        finished = [job for job in jobs if job.state is JobState.SUCCEEDED]
        if not finished:
            raise ChorusError(ErrorKind.CONFLICT, "nothing-finished")
        names = different_names(job.name for job in finished)
        return [
            self._open(job, output_key(job.id), name, "video/mp4") for job, name in zip(finished, names, strict=True)
        ]

    def read(self, file: StoredFile, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Bytes start..end (end excluded) of a stored file, in pieces."""
        for piece in self._artifacts.storage.read(file.key, start, end):
            telemetry.bytes_downloaded(len(piece))
            yield piece

    @deed("job.delete")
    def delete_job(self, job_id: str) -> None:
        """Remove a finished job, its output and poster, and its batch after the last job; CONFLICT before its end."""
        job = self._queue.find(job_id)
        if job.state not in FINISHED:
            raise ChorusError(ErrorKind.CONFLICT, "job-unfinished", name=job.name, state=job.state.value)
        with tables.transaction(self._database) as connection:
            connection.execute(sa.delete(tables.jobs).where(tables.jobs.c.id == job_id))
            left = sa.select(tables.jobs.c.id).where(tables.jobs.c.batch_id == job.batch_id)
            connection.execute(sa.delete(tables.batches).where(tables.batches.c.id == job.batch_id, ~left.exists()))
        self._queue.forget([job_id])
        # Only now: a commit that fails must not have cost the video. What stays behind all the same, the sweep finds.
        try:
            self._remove_files(job_id)
        except ChorusError as error:
            _log.warning("job %s is deleted, its files not yet: %s", job_id, error)

    @needs(Role.MAKER)
    def delete_jobs(self, job_ids: Sequence[str]) -> Deleted:
        """Delete finished jobs; the others stay, and each says why."""
        check_ids(job_ids)
        refused: dict[str, ChorusError] = {}
        for job_id in job_ids:
            try:
                self.delete_job(job_id)
            except ChorusError as error:
                refused[job_id] = error
        return Deleted(deleted=[job_id for job_id in job_ids if job_id not in refused], refused=refused)

    def sweep(self) -> None:
        """Remove the files of jobs that are no more: a process died, or the store was away, more than a day ago."""
        storage = self._artifacts.storage
        found = {
            PurePosixPath(key).stem for folder in (OUTPUTS, POSTERS) for key in storage.older(folder, _STALE_SECONDS)
        }
        with tables.transaction(self._database) as connection:
            known = set(connection.execute(sa.select(tables.jobs.c.id)).scalars())
        for job_id in sorted(found - known):
            _log.warning("the output of %s belongs to no job: removed", job_id)
            self._remove_files(job_id)

    def _remove_files(self, job_id: str) -> None:
        self._artifacts.storage.delete(output_key(job_id))
        self._artifacts.storage.delete(poster_key(job_id))

    def _open(self, job: Job, key: str, name: str, media_type: str) -> StoredFile:
        if job.state is not JobState.SUCCEEDED or job.finished_at is None:
            raise ChorusError(ErrorKind.CONFLICT, "no-output", name=job.name, state=job.state.value)
        return self._artifacts.open(
            key, name, media_type, version=f"{job.id}-{job.attempt}", modified_at=job.finished_at
        )
