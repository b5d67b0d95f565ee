"""The log of all processes: parsed, filtered by job, followed through its renewals."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.errors import ChorusError
from services.gateway.operations.run_log import LogLine, RunLog

LINES = [
    "api        | 2026-11-22 14:51:25,493 INFO api services.x: received clip.mp4",
    "worker     | 2026-11-22 14:51:26,000 ERROR worker services.y: job ab.1 failed",
    "worker     | Traceback (most recent call last):",
    "api        | unheard of",
    "worker     | ValueError: odd",
    "worker     | 2026-11-22 14:51:27,000 INFO worker services.y: job ab.10 (x.mp4): attempt 1",
    "chorus     | 2026-11-22 14:51:28 api ready",
]


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_lines_are_parsed_and_come_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "chorus.log"
    write(path, *LINES)
    lines = RunLog(path).tail()
    assert lines[0] == LogLine("2026-11-22 14:51:25,493", "INFO", "api", "api services.x: received clip.mp4")
    assert lines[2] == LogLine("", "", "worker", "Traceback (most recent call last):")
    assert lines[6] == LogLine("2026-11-22 14:51:28", "", "chorus", "api ready")
    assert [line.whole for line in lines] == LINES
    assert [line.whole for line in RunLog(path).tail(2)] == LINES[-2:]


def test_a_job_has_its_lines_and_their_tracebacks(tmp_path: Path) -> None:
    path = tmp_path / "chorus.log"
    write(path.with_name("chorus.log.1"), *LINES[:3])
    write(path, *LINES[3:])
    assert [line.whole for line in RunLog(path).tail(job_id="ab.1")] == [LINES[1], LINES[2], LINES[4]]
    assert [line.whole for line in RunLog(path).tail(job_id="ab.10")] == [LINES[5]]
    assert len(RunLog(path).tail(job_id="ab")) == 4
    assert "".join(RunLog(path).lines()) == "".join(f"{line}\n" for line in LINES)


def test_new_lines_are_followed_through_a_renewal(tmp_path: Path) -> None:
    path = tmp_path / "chorus.log"
    write(path, LINES[0])

    async def follow() -> list[str]:
        seen: list[str] = []
        bundles = RunLog(path).follow()
        first = asyncio.ensure_future(anext(bundles))
        await asyncio.sleep(0.1)
        write(path, LINES[1])
        seen += [line.whole for line in await first]
        path.rename(path.with_name("chorus.log.1"))
        write(path, LINES[5])
        while len(seen) < 2:
            seen += [line.whole for line in await anext(bundles)]
        await bundles.aclose()  # type: ignore[attr-defined]  # it is an async generator
        return seen

    assert asyncio.run(asyncio.wait_for(follow(), 10)) == [LINES[1], LINES[5]]


def test_a_cluster_without_a_common_log_says_so() -> None:
    log = RunLog(None)
    assert not log.is_available
    for ask in (log.tail, log.lines, log.follow):
        with pytest.raises(ChorusError, match="CHORUS_LOG_FILE is not set"):
            ask()
