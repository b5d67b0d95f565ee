"""The log of all processes: records of ours, lines of others, filtered by job, followed through its renewals."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest

from services import telemetry
from services.errors import ChorusError
from services.gateway.operations.run_log import RunLog
from services.local.log_file import LogFile

# What a test asks of operations itself, it asks as the system.
pytestmark = pytest.mark.usefixtures("as_system")


def record(service: str, message: str, **more: str) -> str:
    """A record as it stands in the file."""
    return json.dumps({"time": "2026-11-22T14:51:25+00:00", "service": service, "message": message, **more})


LINES = [
    record("api", "received clip.mp4", level="INFO", logger="services.x"),
    record("worker", "job failed", level="ERROR", logger="services.y", job_id="ab.1", exc_info="Traceback\nValueError"),
    record("triton", "I1122 server ready"),
    record("worker", "attempt 1", level="INFO", logger="services.y", job_id="ab.10"),
    "worker     | 2026-11-22 14:51:27,000 INFO of an older release",
]
WHOLE = [
    "api        | 2026-11-22T14:51:25.000Z INFO services.x: received clip.mp4",
    "worker     | 2026-11-22T14:51:25.000Z ERROR services.y: job failed\nTraceback\nValueError",
    "triton     | 2026-11-22T14:51:25.000Z I1122 server ready",
    "worker     | 2026-11-22T14:51:25.000Z INFO services.y: attempt 1",
]


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_records_are_read_and_lines_of_an_older_release_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "chorus.log"
    write(path, *LINES)
    lines = RunLog(path).tail()
    assert [line.whole for line in lines][:4] == WHOLE
    assert lines[4].whole == LINES[4]
    assert [line.whole for line in RunLog(path).tail(3)][:2] == WHOLE[2:]


def test_a_job_has_its_records_and_a_batch_those_of_its_jobs(tmp_path: Path) -> None:
    path = tmp_path / "chorus.log"
    write(path.with_name("chorus.log.1"), *LINES[:2])
    write(path, *LINES[2:])
    assert [line.whole for line in RunLog(path).tail(job_id="ab.1")] == [WHOLE[1]]
    assert [line.whole for line in RunLog(path).tail(job_id="ab.10")] == [WHOLE[3]]
    assert len(RunLog(path).tail(job_id="ab")) == 2
    assert "".join(RunLog(path).lines(last=3)).startswith(WHOLE[2] + "\n")


def test_what_a_process_of_ours_logs_comes_back_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = "two\nlines \x1b[31m 多人.mp4"
    try:
        telemetry.configure_logging("worker", "INFO", "json")
        with telemetry.at_work(job_id="b.0"):
            logging.getLogger("services.z").info("job of %s", name)
        try:
            raise ValueError("odd")
        except ValueError:
            logging.getLogger("services.z").exception("failed", extra={"job_id": "b.1"})
    finally:
        logging.basicConfig(force=True)
    printed = capfd.readouterr().err.splitlines()
    assert len(printed) == 2, "a name has broken a line"
    log = LogFile(tmp_path / "chorus.log")
    assert [log.write("worker", line) for line in printed] == [f"job of {name}", "failed"]
    log.write("triton", "{odd\x07")
    log.close()
    first, second, third = RunLog(tmp_path / "chorus.log").tail()
    assert (first.service, first.level, first.job_id) == ("worker", "INFO", "b.0")
    assert first.text == f"services.z: job of {name}"
    assert "\x1b" not in first.whole
    assert "ValueError: odd" in second.text
    assert third.whole.endswith("{odd\\x07")
    assert [line.job_id for line in RunLog(tmp_path / "chorus.log").tail(job_id="b")] == ["b.0", "b.1"]


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
        write(path, LINES[3])
        while len(seen) < 2:
            seen += [line.whole for line in await anext(bundles)]
        await bundles.aclose()  # type: ignore[attr-defined]  # it is an async generator
        return seen

    assert asyncio.run(asyncio.wait_for(follow(), 10)) == [WHOLE[1], WHOLE[3]]


def test_a_cluster_without_a_common_log_says_so() -> None:
    log = RunLog(None)
    assert not log.is_available
    for ask in (log.tail, log.lines, log.follow):
        with pytest.raises(ChorusError, match="CHORUS_LOG_FILE is not set"):
            ask()
