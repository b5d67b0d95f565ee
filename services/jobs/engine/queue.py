"""The doors' side of the engine: enqueue, cancel, retry and forget jobs, and read them with one join."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from dbos import DBOS
from dbos import error as dbos_error

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.jobs import moments, tables, upgrade
from services.jobs.database_errors import database_error
from services.jobs.engine import beats, names, turns
from services.jobs.engine.dbos_log import configure_dbos_log
from services.jobs.engine.live import Live, live_from_text
from services.jobs.model import FINISHED, Job, JobFilter, JobState, Priority
from services.jobs.visibility import others_last, seen


def open_queue(database_url: str) -> tuple[sa.Engine, JobQueue]:
    """The database and the queue in it, with the tables that were missing; safe in several processes at once."""
    database = tables.open_database(database_url)
    upgrade.create_tables(database)
    queue = JobQueue(database)
    queue.create_tables()
    return database, queue


class JobQueue:
    """Durable jobs in one database; safe to share by threads."""

    def __init__(self, database: sa.Engine) -> None:
        configure_dbos_log()
        self._database = database
        self._client = names.open_client(database)
        self._status = names.status_table(database)
        self._event = names.event_table(database)
        # Made once: to put the joins together takes longer than to ask for one job.
        status, event, jobs = self._status, self._event, tables.jobs
        self._jobs_and_status = jobs.join(status, status.c.workflow_uuid == jobs.c.id).join(tables.batches)
        about = sa.and_(event.c.workflow_uuid == jobs.c.id, event.c.key == names.LIVE_EVENT)
        self._with_live = self._jobs_and_status.outerjoin(event, about)
        self._jobs = sa.select(
            jobs,
            tables.batches.c.owner,
            status.c.status,
            status.c.completed_at.label("finished_ms"),
            event.c.value.label("live"),
        ).select_from(self._with_live)

    def create_tables(self) -> None:
        """Create or migrate DBOS's own tables; safe in several processes at once."""
        DBOS.migrate(names.dbos_url(self._database))

    def enqueue(
        self,
        connection: sa.Connection,
        job_ids: Sequence[str],
        owner: str,
        *,
        most_waiting: int,
        priority: Priority = Priority.NORMAL,
    ) -> None:
        """Enqueue an owner's jobs within the caller's transaction, which also inserts their rows: all or nothing.

        OVERLOADED when more than `most_waiting` jobs of the whole installation would wait.
        """
        if turns.waiting(connection) + len(job_ids) > most_waiting:
            raise ChorusError(ErrorKind.OVERLOADED, "queue-full", limit=most_waiting)
        for job_id, turn in zip(job_ids, turns.next_turns(connection, owner, priority), strict=False):
            self._client.enqueue_in_transaction(
                connection,
                {
                    "queue_name": names.QUEUE,
                    "workflow_name": names.WORKFLOW,
                    "workflow_id": job_id,
                    "priority": turn,
                    "app_version": names.APPLICATION_VERSION,
                },
                job_id,
            )

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Queued jobs end at once, running ones at their next sign of life; finished ones stay as they are."""
        unfinished = self._unfinished(job_ids)
        if unfinished:
            with _database_errors():
                self._client.cancel_workflows(unfinished)

    def retry(self, job_id: str) -> None:
        """Queue a failed or cancelled job again under its own id; CONFLICT when its state changed meanwhile."""
        try:
            with _database_errors():
                self._client.rewind_workflow(job_id, queue_name=names.QUEUE)
        except dbos_error.DBOSException as error:
            raise ChorusError(ErrorKind.CONFLICT, "job-not-retryable", job=job_id) from error

    def forget(self, job_ids: Sequence[str]) -> None:
        """Remove all that DBOS knows of jobs."""
        with _database_errors():
            self._client.delete_workflows(list(job_ids))

    def find(self, job_id: str) -> Job:
        """One job; NOT_FOUND when there is none that the caller may know of."""
        wanted = self._jobs.where(tables.jobs.c.id == job_id, seen(tables.batches))
        with tables.transaction(self._database) as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "job-unknown", job=job_id)
        return _job(row)

    def page(self, wanted: JobFilter, *, limit: int, offset: int) -> tuple[list[Job], int]:
        """A page of jobs and how many there are in all: `first`'s own, newest batch first, in order within it."""
        condition = self._condition(wanted)
        items = (
            self._jobs.where(condition)
            .order_by(
                others_last(tables.batches, wanted.first),
                tables.jobs.c.created_ms.desc(),
                tables.jobs.c.batch_id,
                tables.jobs.c.position,
            )
            .limit(limit)
            .offset(offset)
        )
        count = sa.select(sa.func.count()).select_from(self._jobs_and_status).where(condition)
        with tables.transaction(self._database) as connection:
            found = [_job(row) for row in connection.execute(items)]
            return found, int(connection.execute(count).scalar_one())

    def of_batches(self, batch_ids: Sequence[str]) -> Mapping[str, list[Job]]:
        """All jobs of each batch, in order, in one query."""
        wanted = self._jobs.where(tables.jobs.c.batch_id.in_(batch_ids), seen(tables.batches))
        found: dict[str, list[Job]] = {batch_id: [] for batch_id in batch_ids}
        with tables.transaction(self._database) as connection:
            for row in connection.execute(wanted.order_by(tables.jobs.c.batch_id, tables.jobs.c.position)):
                found[row.batch_id].append(_job(row))
        return found

    def count_unfinished(self, owner: str, connection: sa.Connection | None = None) -> int:
        """How many of an owner's jobs are queued or running, in a transaction of its own unless one is given."""
        if connection is None:
            with tables.transaction(self._database) as own:
                return self.count_unfinished(owner, own)
        count = sa.select(sa.func.count()).select_from(self._jobs_and_status)
        mine = count.where(tables.batches.c.owner == owner, self._is_unfinished())
        return int(connection.execute(mine).scalar_one())

    def output_bytes(self, connection: sa.Connection, owner: str) -> int:
        """How large the outputs of an owner are together."""
        event, status = self._event.c, self._status.c
        # The event is text for DBOS.
        live = (
            sa.type_coerce(event.value, sa.JSON)
            if connection.dialect.name == "sqlite"
            else sa.cast(event.value, sa.JSON)
        )
        sizes = sa.select(live["output_bytes"].as_float()).select_from(self._with_live)
        its = (tables.batches.c.owner == owner) & status.status.in_(names.statuses_of(JobState.SUCCEEDED))
        return round(sum(size or 0 for size in connection.execute(sizes.where(its)).scalars()))

    def count_states(self, batch_ids: Sequence[str] | None = None) -> Mapping[str, Counter[JobState]]:
        """Jobs by state of each batch (None: of all of them), in one query; a batch without jobs is not in it."""
        batch_id, status = tables.jobs.c.batch_id, self._status.c.status
        statement = sa.select(batch_id, status, sa.func.count()).select_from(self._jobs_and_status)
        if batch_ids is not None:
            statement = statement.where(batch_id.in_(batch_ids))
        counts: dict[str, Counter[JobState]] = {}
        with tables.transaction(self._database) as connection:
            for batch, raw, number in connection.execute(statement.group_by(batch_id, status)):
                counts.setdefault(batch, Counter())[names.STATE_OF_STATUS[raw]] += number
        return counts

    def depth(self) -> telemetry.QueueDepth:
        """Jobs by state, and how long the oldest of the queued ones has waited; workers that take jobs."""
        status = self._status.c
        # A job that is queued again begins to wait again: DBOS touches a queued workflow at no other time.
        statement = sa.select(status.status, sa.func.count(), sa.func.min(status.updated_at)).group_by(status.status)
        with tables.transaction(self._database) as connection:
            rows = connection.execute(statement).all()
            workers = beats.count_taking(connection)
        counts: Counter[JobState] = Counter()
        now = oldest = moments.now_ms()
        for raw, number, since in rows:
            state = names.STATE_OF_STATUS[raw]
            counts[state] += number
            if state is JobState.QUEUED:
                oldest = min(oldest, since)
        return telemetry.QueueDepth({state: counts[state] for state in JobState}, (now - oldest) / 1000, workers)

    def check_workers(self) -> None:
        """UNAVAILABLE when jobs wait and no worker says that it takes any."""
        with tables.transaction(self._database) as connection:
            if not beats.count_taking(connection) and (jobs := turns.waiting(connection)):
                raise ChorusError(ErrorKind.UNAVAILABLE, "no-worker", jobs=jobs)

    def finished_before(self, moment_ms: int, limit: int) -> list[Job]:
        """Up to `limit` jobs that finished before a moment."""
        ended = self._status.c.completed_at < moment_ms
        with tables.transaction(self._database) as connection:
            rows = connection.execute(self._jobs.where(ended).limit(limit)).all()
        return [job for job in map(_job, rows) if job.state in FINISHED]

    def count_unfinished_users(self, connection: sa.Connection, media_id: str) -> int:
        """How many queued or running jobs need an upload."""
        users = sa.or_(tables.jobs.c.video_id == media_id, tables.jobs.c.audio_id == media_id)
        count = sa.select(sa.func.count()).select_from(self._jobs_and_status).where(users, self._is_unfinished())
        return int(connection.execute(count).scalar_one())

    def _is_unfinished(self) -> sa.ColumnElement[bool]:
        return self._status.c.status.in_([*names.statuses_of(JobState.QUEUED), *names.statuses_of(JobState.RUNNING)])

    def _unfinished(self, job_ids: Sequence[str]) -> list[str]:
        statement = sa.select(self._status.c.workflow_uuid).where(
            self._status.c.workflow_uuid.in_(job_ids), self._is_unfinished()
        )
        with tables.transaction(self._database) as connection:
            return list(connection.execute(statement).scalars())

    def _condition(self, wanted: JobFilter) -> sa.ColumnElement[bool]:
        condition = seen(tables.batches)
        if wanted.state is not None:
            condition &= self._status.c.status.in_(names.statuses_of(wanted.state))
        if wanted.batch_id is not None:
            condition &= tables.jobs.c.batch_id == wanted.batch_id
        if wanted.owner is not None:
            condition &= tables.batches.c.owner == wanted.owner
        if wanted.since is not None:
            condition &= tables.jobs.c.created_ms >= wanted.since.timestamp() * 1000
        if wanted.until is not None:
            condition &= tables.jobs.c.created_ms < wanted.until.timestamp() * 1000
        if wanted.name:
            condition &= tables.jobs.c.name.icontains(
                wanted.name, autoescape=True
            ) | tables.jobs.c.video_name.icontains(wanted.name, autoescape=True)
        return condition


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        raise database_error(error) from error


def _job(row: sa.Row[Any]) -> Job:
    state = names.STATE_OF_STATUS[row.status]
    live = live_from_text(row.live)
    return Job(
        id=row.id,
        batch_id=row.batch_id,
        index=row.position,
        name=row.name,
        video_name=row.video_name,
        video_id=row.video_id,
        audio_name=row.audio_name,
        audio_id=row.audio_id,
        owner=row.owner,
        state=state,
        progress=None if state is JobState.QUEUED else live.progress,
        attempt=row.attempts,
        error=(live.error or _wordless_end(row.status)) if state is JobState.FAILED else None,
        created_at=moments.moment_of(row.created_ms),
        started_at=None if state is JobState.QUEUED or live.started_ms is None else moments.moment_of(live.started_ms),
        finished_at=_finished_at(row, live) if state in FINISHED else None,
        output_bytes=live.output_bytes if state is JobState.SUCCEEDED else None,
    )


def _wordless_end(status: str) -> ChorusError:
    """Why a job failed whose worker could not say it any more."""
    if status == "ERROR":
        return ChorusError(ErrorKind.INTERNAL, "job-failed")
    return ChorusError(ErrorKind.INTERNAL, "worker-died")


def _finished_at(row: sa.Row[Any], live: Live) -> datetime:
    # A job that was cancelled or given up has no last word of its own, only DBOS's moment in whole seconds.
    ended: int = live.finished_ms or row.finished_ms
    return moments.moment_of(max(ended, live.started_ms or 0, row.created_ms))
