"""`make soak`: steady work for an hour. Prints what was held and how long requests took, by quarters of the time.

Fails when something grows: a leak of a MiB, a descriptor or a file with each job shows within minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil
import pytest
from rich.console import Console
from rich.table import Table

from tests.announcement import announcement
from tests.load.clients import Notes, doors_of
from tests.load.held import Series, quarter_of, sampled
from tests.load.inputs import short_clip
from tests.load.outcome import quantiles
from tests.load.steady import work_steadily
from tests.running_stack import running_stack
from tests.states import Servers

SECONDS: Final = 1.0
_WARM_SECONDS: Final = 90.0
"""Until every pool, cache and import has had its work once"""
_MAY_GROW: Final = {"memory, MiB": 24.0, "descriptors": 12.0, "threads": 6.0, "the rest, MiB": 12.0, "files": 24.0}
"""From the second quarter to the last; what is measured wavers by as much with the jobs that happen to run"""


@pytest.mark.timeout(4 * 3600)
def test_nothing_grows(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> None:
    seconds = 60.0 * request.config.getoption("--soak-minutes")
    on_postgres = request.config.getoption("--database") == "postgresql"
    state = {"CHORUS_DATABASE_URL": servers.postgres.new_database()} if on_postgres else {}
    files, home = tmp_path / "files", tmp_path / "home"
    files.mkdir()
    home.mkdir()
    audio, video = announcement(files / "speech.wav", SECONDS), short_clip(files / "clip.mp4", SECONDS)
    # All clients are one address.
    with running_stack(home, {**state, "CHORUS_REQUESTS_PER_MINUTE": "1000000"}) as stack:
        doors = doors_of(stack)
        work_steadily(doors, audio, video, seconds=_WARM_SECONDS)
        with sampled(psutil.Process(stack.process.pid), home) as series:
            notes = work_steadily(doors, audio, video, seconds=seconds)
        with doors.http() as http:
            assert http.get("/v1/jobs").json()["total"] == 0, "all were deleted"
    Console(width=140).print(_table(series, notes, seconds))
    assert not notes.errors
    assert not _grown(series)


def _grown(series: Series) -> dict[str, tuple[float, float]]:
    """What grew: the medians of the second quarter and of the last. The first still warms up."""
    found = {}
    for name in series.values:
        before, after = series.quarter(name, 1), series.quarter(name, 3)
        most = next((grace for ending, grace in _MAY_GROW.items() if name.endswith(ending)), None)
        if most is not None and after > before + most:
            found[name] = (before, after)
    return found


def _table(series: Series, notes: Notes, seconds: float) -> Table:
    title = f"{len(notes.job_ids)} jobs in {seconds / 60:.0f} minutes, load {psutil.getloadavg()[2]:.1f}"
    shown = Table("by quarter of the time", "first", "second", "third", "last", title=title)
    for name in sorted(series.values):
        shown.add_row(name, *(f"{series.quarter(name, number):.1f}" for number in range(4)))
    for kind, taken in sorted(notes.milliseconds.items()):
        shown.add_row(f"{kind}, ms: p50 / p95 / p99", *(quantiles(quarter_of(taken, number)) for number in range(4)))
    return shown
