"""What became of the jobs of a load test, and the one table that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from tests.load.clients import Doors, Notes

_PAGE = 500


def find_jobs(doors: Doors, notes: Notes) -> list[dict[str, Any]]:
    """The jobs that were started; AssertionError unless each is there once, has succeeded and has its output."""
    found: list[dict[str, Any]] = []
    with doors.http() as http:
        while True:
            page = http.get("/v1/jobs", params={"limit": _PAGE, "offset": len(found)}).json()
            found += page["items"]
            if len(found) >= page["total"] or not page["items"]:
                break
        own = [job for job in found if job["id"] in set(notes.job_ids)]
        assert sorted(job["id"] for job in own) == sorted(notes.job_ids), "a job is lost, or is there twice"
        assert {job["state"] for job in own} == {"succeeded"}, [job["error"] for job in own if job["error"]][:3]
        assert {job["attempt"] for job in own} == {1}, "a job was made twice"
        for job in own:
            assert int(http.head(f"/v1/jobs/{job['id']}/output").headers["Content-Length"]) == job["output_bytes"]
    return own


def table(
    jobs: Sequence[Mapping[str, Any]], notes: Notes, *, seconds: float, video_seconds: float, more: Mapping[str, str]
) -> Table:
    """Throughput, waiting, requests by kind, errors, and what else was measured."""
    shown = Table("", "", title=f"{len(jobs)} jobs of {video_seconds:g} s in {seconds:.0f} s")
    shown.add_row("jobs a second", f"{len(jobs) / seconds:.2f}")
    shown.add_row("video seconds a second", f"{len(jobs) * video_seconds / seconds:.2f}")
    waited = [1000 * _between(job["created_at"], job["started_at"]) for job in jobs]
    shown.add_row("created to started, p50 / p95 / p99", f"{quantiles(waited)} ms")
    for kind, taken in sorted(notes.milliseconds.items()):
        shown.add_row(f"{kind}, p50 / p95 / p99 of {len(taken)}", f"{quantiles(taken)} ms")
    shown.add_row("errors", ", ".join(f"{kind} {number}" for kind, number in notes.errors.items()) or "none")
    for name, value in more.items():
        shown.add_row(name, value)
    return shown


def quantiles(values: Sequence[float]) -> str:
    """The median and the two ends that matter."""
    ordered = sorted(values)
    return " / ".join(f"{ordered[min(int(share * len(ordered)), len(ordered) - 1)]:.0f}" for share in (0.5, 0.95, 0.99))


def _between(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
