"""A database with thousands of jobs: queued ones through the product's own functions, finished ones as copies."""

from __future__ import annotations

import time

import sqlalchemy as sa

from services.jobs import moments, tables
from services.jobs.engine.queue import JobQueue

_BATCH_JOBS = 100
_OWNERS = 50
# Where a finished job has rows, and the column with its id.
_TRACES = {
    "jobs": "id",
    "dbos.workflow_status": "workflow_uuid",
    "dbos.workflow_input": "workflow_uuid",
    "dbos.workflow_output": "workflow_uuid",
    "dbos.workflow_events": "workflow_uuid",
    "dbos.workflow_events_history": "workflow_uuid",
    "dbos.operation_outputs": "workflow_uuid",
}


def queue_jobs(database: sa.Engine, queue: JobQueue, count: int, first: int = 1) -> None:
    """Jobs with so many ids from `first` on, in batches of 100 of 50 owners."""
    end = first + count
    for begin in range(first, end, _BATCH_JOBS):
        ids = [str(number) for number in range(begin, min(begin + _BATCH_JOBS, end))]
        owner = f"owner{begin // _BATCH_JOBS % _OWNERS}"
        with tables.transaction(database) as connection:
            batch = {"id": f"batch{begin}", "audio_name": "", "audio_id": "", "owner": owner, "request_digest": ""}
            connection.execute(sa.insert(tables.batches).values(**batch, created_ms=moments.now_ms()))
            texts = dict.fromkeys(("name", "video_id", "video_name", "audio_id", "audio_name"), "clip.mp4")
            rows = [
                {"id": each, "batch_id": batch["id"], "position": n, "spec": {}, "created_ms": 0, **texts}
                for n, each in enumerate(ids)
            ]
            connection.execute(sa.insert(tables.jobs), rows)
            queue.enqueue(connection, ids, owner, most_waiting=10**6)


def remember(database: sa.Engine, job_id: str, copies: int) -> None:
    """So many finished jobs like one that has finished."""
    with database.begin() as connection:
        for table, key in _TRACES.items():
            schema, _, name = table.rpartition(".")
            columns = [column["name"] for column in sa.inspect(connection).get_columns(name, schema=schema or None)]
            others = ", ".join(f'"{each}"' for each in columns if each != key)
            connection.execute(
                sa.text(
                    f"INSERT INTO {table} ({key}, {others}) SELECT 'old' || n, {others}"
                    f" FROM {table}, generate_series(1, :copies) AS n WHERE {key} = :job"
                ),
                {"job": job_id, "copies": copies},
            )
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


def take(database: sa.Engine, count: int) -> None:
    """The jobs 1 to `count` run, each on a worker of its own: w1, w2, ..."""
    running = sa.text(
        "UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = 'w' || workflow_uuid, owner_xid = 'x'"
        " WHERE workflow_uuid ~ '^[0-9]+$' AND workflow_uuid::int <= :count"
    )
    with database.begin() as connection:
        connection.execute(running, {"count": count})


def hold(database: sa.Engine) -> None:
    """Put what waits where no worker looks."""
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE dbos.workflow_status SET queue_name = 'held' WHERE status = 'ENQUEUED'"))


def release(database: sa.Engine, seconds: float) -> None:
    """Give all that is held to the workers, and be back when they have taken it; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("UPDATE dbos.workflow_status SET queue_name = 'render' WHERE queue_name = 'held'"))
        left = sa.text("SELECT count(*) FROM dbos.workflow_status WHERE queue_name = 'render' AND status = 'ENQUEUED'")
        while connection.execute(left).scalar_one():
            assert time.monotonic() < end, "the workers did not take all jobs"
            time.sleep(0.05)


def clear(database: sa.Engine) -> None:
    """Forget the jobs that queue_jobs has made."""
    with database.begin() as connection:
        for table, key in _TRACES.items():
            connection.execute(sa.text(f"DELETE FROM {table} WHERE {key} ~ '^[0-9]+$'"))
        connection.execute(sa.text("DELETE FROM batches WHERE id ~ '^batch[0-9]+$'"))
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
