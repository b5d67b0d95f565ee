"""Disks that are full or not to be written to, and commits that fail: nothing is lost, and the words say what to do."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from dbos import _sys_db

from services.jobs import attempts, tables
from services.jobs.engine.dbos_waits import wait_for_disk
from services.library.keys import output_key
from tests.gateway_stack import ROOT, Gateway, environment_of, make_settings, open_gateway, running_worker

_DAYS = 2 * 24 * 3600


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path_factory.mktemp("disks"))) as doors:
        yield doors


@pytest.fixture(scope="module")
def finished(gateway: Gateway) -> tuple[str, str]:
    """A job that succeeded, and one that did so after a retry, which had failed once before it was accepted."""
    job_id, retried = gateway.start_job("done.mp4"), gateway.start_job("retried.mp4")
    gateway.http.post(f"/v1/jobs/{retried}/cancel")
    # As if a worker had published it, and the cancelling had come just then.
    gateway.storage.put_bytes(output_key(retried), b"published before it was cancelled")
    with tables.transaction(gateway.database) as connection:
        attempts.begin_attempt(connection, retried)

    def fail(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("", {}, Exception("gone"))

    queue: Any = gateway.operations._queue
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(queue._client, "rewind_workflow", fail)
        assert gateway.http.post(f"/v1/jobs/{retried}/retry").status_code == 503
    assert gateway.storage.size(output_key(retried)) is not None
    assert gateway.http.post(f"/v1/jobs/{retried}/retry").status_code == 200
    with running_worker(gateway.settings):
        for each in (job_id, retried):
            gateway.wait_for(each, "succeeded", seconds=60)
    return job_id, retried


def test_a_delete_that_fails_costs_no_output(gateway: Gateway, finished: tuple[str, str]) -> None:
    with _failing_commits(gateway.database):
        assert gateway.http.delete(f"/v1/jobs/{finished[0]}").status_code == 503
    assert gateway.http.get(f"/v1/jobs/{finished[0]}/output").content == b"done.mp4" * 1000


def test_a_retry_that_fails_costs_no_output_and_one_that_succeeds_makes_a_new_one(
    gateway: Gateway, finished: tuple[str, str]
) -> None:
    assert gateway.http.get(f"/v1/jobs/{finished[1]}/output").content == b"retried.mp4" * 1000


def test_what_a_delete_leaves_behind_is_swept(gateway: Gateway, finished: tuple[str, str]) -> None:
    lost = output_key("nobody.0")
    for key in (lost, output_key("young.0")):
        gateway.storage.put_bytes(key, b"left")
    folder = gateway.settings.scratch.parent / "store"
    for key in (lost, output_key(finished[0])):
        moment = (folder / key).stat().st_mtime - _DAYS
        os.utime(folder / key, (moment, moment))
    gateway.operations.outputs.sweep()
    assert gateway.storage.size(lost) is None
    assert gateway.storage.size(output_key("young.0")) is not None
    assert gateway.http.get(f"/v1/jobs/{finished[0]}/output").status_code == 200


def test_a_full_disk_is_called_so(gateway: Gateway) -> None:
    body = {"audio_id": gateway.upload("speech.wav"), "video_ids": [gateway.upload("many.mp4")] * 500}

    def fill(connection: Any, _record: object, _proxy: object) -> None:
        connection.execute("PRAGMA max_page_count=1")  # SQLite takes it for what is there already

    sa.event.listen(gateway.database, "checkout", fill)
    try:
        answer = gateway.http.post("/v1/batches", json=body)
    finally:
        sa.event.remove(gateway.database, "checkout", fill)
        gateway.database.dispose()
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "database-full"), answer.text
    made = gateway.http.post("/v1/batches", json=body)
    assert made.status_code == 201
    gateway.http.post(f"/v1/batches/{made.json()['id']}/cancel")


def test_a_worker_that_cannot_write_for_a_while_loses_no_job(gateway: Gateway) -> None:
    with running_worker(gateway.settings) as started:
        job_id = gateway.start_job("slow-4.mp4")
        gateway.wait_for(job_id, "running", seconds=60)
        worker = psutil.Process(started.pid)
        before = worker.rlimit(psutil.RLIMIT_FSIZE)
        # No file of its may grow, the database's least of all: to SQLite, a disk with a fault.
        worker.rlimit(psutil.RLIMIT_FSIZE, (0, before[1]))
        time.sleep(6)  # its render ends meanwhile
        worker.rlimit(psutil.RLIMIT_FSIZE, before)
        job = gateway.wait_for(job_id, "succeeded", "failed", seconds=60)
    # On a busy machine its render begins only then, without a file of its own, and is made again.
    assert job["state"] == "succeeded", job


def test_dbos_waits_for_a_full_disk_and_for_nothing_else() -> None:
    with closing(sqlite3.connect(":memory:")) as full:
        full.execute("PRAGMA max_page_count=1")
        with pytest.raises(sqlite3.OperationalError) as wrong:
            full.execute("SELECT * FROM nothing")
        with pytest.raises(sqlite3.OperationalError) as error:
            full.execute("CREATE TABLE more (number)")
    asked: list[Exception] = []

    @_sys_db.db_retry(initial_backoff=0.01)
    def write(ends: Sequence[Exception]) -> int:
        if len(asked) < len(ends):
            asked.append(ends[len(asked)])
            raise sa.exc.OperationalError("", {}, asked[-1])
        return len(asked)

    wait_for_disk()
    assert write([error.value, error.value]) == 2
    with pytest.raises(sa.exc.OperationalError):
        write([error.value, error.value, wrong.value])


@pytest.mark.parametrize(
    "command",
    [
        ["services.cli.main", "up", "--port", "0"],
        ["services.cli.main", "user", "add", "anna"],
        ["services.gateway"],
        ["services.worker"],
        ["services.preprocess"],
    ],
)
def test_a_home_that_cannot_be_written_to_is_told(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "a file").write_text("")
    # No folder can be made below a file, whoever asks: root, as in a container, may write anywhere else.
    home = tmp_path / "a file" / "home"
    state = {"CHORUS_HOME": str(home), "CHORUS_USERS": str(home / "users") if "user" in command else ""}
    settings = make_settings(home)
    environment = {**environment_of(settings), **state, "PYTHONPATH": str(ROOT)}
    child = subprocess.run(
        [sys.executable, "-m", *command],
        input="correct horse\ncorrect horse\n",
        cwd=tmp_path,
        env={name: value for name, value in environment.items() if value},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    said = child.stdout + child.stderr
    assert child.returncode == 1, said
    assert "Traceback" not in said
    assert "cannot be made" in said or "cannot be read" in said


@contextmanager
def _failing_commits(database: sa.Engine) -> Iterator[None]:
    def fail(_connection: object) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("gone"))

    sa.event.listen(database, "commit", fail)
    try:
        yield
    finally:
        sa.event.remove(database, "commit", fail)
