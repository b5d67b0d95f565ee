"""The same gateway on a real PostgreSQL, where several workers share the queue and take over from the dead."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.gateway_stack import (
    Gateway,
    StackSettings,
    is_alive,
    make_settings,
    open_gateway,
    render_log,
    running_worker,
    wait_until,
)

# Every sign in it means something in a URL; the server trusts everybody and does not look at it.
PASSWORD = "a%21b%40c%3A%2F%3F%23%25"


def find_tool(name: str) -> str | None:
    folders = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


def server_user() -> str | None:
    """The PostgreSQL server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        pytest.skip("no user named postgres to run the server as")


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    initdb, postgres = find_tool("initdb"), find_tool("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not on this machine")
    user = server_user()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        if user is not None:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        subprocess.run(
            [initdb, "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"],
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        options = ["-p", str(port), "-k", folder, "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"]
        with Path(folder, "log").open("wb") as log:
            server = subprocess.Popen([postgres, "-D", data, *options], user=user, stderr=log, cwd=folder)
        try:
            url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/chorus"
            wait_until(lambda: create_database(url), 30)
            yield url
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(10)


def create_database(url: str) -> bool:
    engine = open_admin(url, "postgres")
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("CREATE DATABASE chorus"))
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True


def open_admin(url: str, database: str) -> sa.Engine:
    address = sa.make_url(url).set(drivername="postgresql+psycopg", database=database)
    return sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)


@pytest.fixture(scope="module")
def gateway(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = make_settings(tmp_path_factory.mktemp("postgres"), database_url=server_url, worker_slots=1)
    with open_gateway(settings) as doors:
        yield doors


def other_worker(settings: StackSettings) -> StackSettings:
    """As a worker on another machine: a scratch folder of its own."""
    scratch = settings.scratch.parent / "other" / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    log = scratch.parent / "renders"
    if not log.exists():
        log.symlink_to(render_log(settings))
    return settings.model_copy(update={"scratch": scratch})


def test_two_workers_share_a_batch_and_one_takes_over_from_the_other(gateway: Gateway) -> None:
    settings = gateway.settings
    with running_worker(settings) as first, running_worker(other_worker(settings)) as second:
        batch = gateway.start_batch("slow-2.mp4", "slow-2.mp4", "fail.mp4")
        ids = [job["id"] for job in batch["jobs"]]
        wait_until(lambda: [gateway.job(each)["state"] for each in ids[:2]] == ["running", "running"])
        jobs = [gateway.wait_for(each, "succeeded", "failed") for each in ids]
        assert [job["state"] for job in jobs] == ["succeeded", "succeeded", "failed"]
        assert [len(gateway.renders(each)) for each in ids] == [1, 1, 1]

        orphan = gateway.start_job("slow-3.mp4")
        (child,) = wait_until(lambda: gateway.renders(orphan))
        owner = first if parent_of(child) == first.pid else second
        owner.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_alive(child), 3)
        job = gateway.wait_for(orphan, "succeeded", "failed", seconds=25)
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert len(gateway.renders(orphan)) == 2
    listed = gateway.http.get("/v1/jobs", params={"batch": batch["id"], "state": "failed", "name": "FAIL"}).json()
    assert (listed["total"], listed["items"][0]["error"]["kind"]) == (1, "no_face")
    assert gateway.http.delete(f"/v1/jobs/{ids[2]}").status_code == 204


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[1])


def test_a_worker_without_its_lock_ends_and_one_that_stops_hands_its_job_back(
    gateway: Gateway, server_url: str
) -> None:
    with running_worker(gateway.settings) as cut_off:
        job_id = gateway.start_job("slow-12.mp4")
        (child,) = wait_until(lambda: gateway.renders(job_id))
        engine = open_admin(server_url, "chorus")
        with engine.connect() as connection:
            held = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) FROM ({held}) AS holders"))
        engine.dispose()
        assert cut_off.wait(15) == 70
        wait_until(lambda: not is_alive(child), 3)
    with running_worker(gateway.settings) as stopping:
        wait_until(lambda: gateway.job(job_id)["attempt"] == 2, 25)
        stopping.send_signal(signal.SIGTERM)
        assert stopping.wait(10) == 0
    assert gateway.job(job_id)["state"] == "queued"
    assert gateway.http.post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"
