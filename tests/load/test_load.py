"""`make load`: the whole stack under many clients. Prints one table; fails when a job is lost or made twice."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from tests.announcement import announcement
from tests.bench.process_costs import process_costs
from tests.load.clients import doors_of, drive
from tests.load.inputs import short_clip
from tests.load.outcome import find_jobs, table
from tests.load.replay import watched
from tests.running_stack import running_stack
from tests.states import Servers

SECONDS, LIMIT_SECONDS = 1.0, 1500
pytestmark = pytest.mark.timeout(LIMIT_SECONDS + 300)


def test_many_clients(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> None:
    jobs, clients = request.config.getoption("--jobs"), request.config.getoption("--clients")
    on_postgres = request.config.getoption("--database") == "postgresql"
    state = {"CHORUS_DATABASE_URL": servers.postgres.new_database()} if on_postgres else {}
    audio, video = announcement(tmp_path / "speech.wav", SECONDS), short_clip(tmp_path / "clip.mp4", SECONDS)
    # All clients are one address.
    with running_stack(tmp_path, {**state, "CHORUS_REQUESTS_PER_MINUTE": "1000000"}) as stack:
        doors = doors_of(stack)
        begun, database = time.monotonic(), {}
        with process_costs(psutil.Process(stack.process.pid)) as costs:
            if on_postgres:
                with watched(servers.postgres, state["CHORUS_DATABASE_URL"]) as database:
                    notes = drive(doors, audio, video, jobs=jobs, clients=clients, seconds=LIMIT_SECONDS)
            else:
                notes = drive(doors, audio, video, jobs=jobs, clients=clients, seconds=LIMIT_SECONDS)
            seconds = time.monotonic() - begun
        found = find_jobs(doors, notes)
    assert len(found) == jobs
    cpu, peaks = costs.cpu_seconds, costs.peak_mib
    more = {f"{role}: CPU ms a job, peak MiB": f"{1000 * cpu[role] / jobs:.0f}, {peaks[role]:.0f}" for role in peaks}
    if database:
        more["PostgreSQL: transactions a second, a job"] = (
            f"{database['transactions'] / seconds:.0f}, {database['transactions'] / jobs:.0f}"
        )
        more["PostgreSQL: CPU ms a job, cores"] = (
            f"{1000 * database['cpu_seconds'] / jobs:.0f}, {database['cpu_seconds'] / seconds:.2f}"
        )
        more["PostgreSQL: sessions, most"] = str(database["sessions"])
    more["load of the machine"] = f"{psutil.getloadavg()[0]:.1f} of {psutil.cpu_count()} cores"
    Console(width=120).print(table(found, notes, seconds=seconds, video_seconds=SECONDS, more=more))
