"""Recorded transactions of one worker, replayed by pgbench as those of many."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import sqlalchemy as sa

from tests.load.recording import Transaction
from tests.real_servers import Postgres

_VALUE: Final = re.compile(r"%\((\w+)\)s")
_GRACE_SECONDS: Final = 60
_WARM_SECONDS: Final = 3
_SESSIONS_A_SECOND: Final = 100
_LONGEST_SECONDS: Final = 300

Meanwhile = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a replay did to the server."""

    seconds: float
    transactions: int
    milliseconds: Sequence[float]
    """Of each script that was run, sorted"""
    cpu_seconds: float
    """Of all processes of the server"""
    sessions: int
    memory_mib: float
    """Of all processes of the server; a page that n of them share counts 1/n in each"""

    def quantile(self, share: float) -> float:
        """Milliseconds within which this share of the scripts was done; 0 when none was."""
        return (
            self.milliseconds[min(int(share * len(self.milliseconds)), len(self.milliseconds) - 1)]
            if (self.milliseconds)
            else 0.0
        )


class Script:
    """Transactions as a script of pgbench; values stay parameters, as they are in the product."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: dict[str, str] = {}

    def add(self, transaction: Transaction, known: Mapping[str, str] = {}) -> Script:  # only read
        """`known`: variables of the script by the recorded value that they stand for."""
        self.begin()
        for statement, values in transaction.statements:
            self.statement(statement, values, known)
        return self.commit()

    def begin(self) -> Script:
        """Begin a transaction."""
        self.lines.append("BEGIN;")
        return self

    def commit(self) -> Script:
        """End it."""
        self.lines.append("COMMIT;")
        return self

    def write(self, line: str) -> Script:
        """A line of pgbench's own language."""
        self.lines.append(line)
        return self

    def statement(
        self, statement: str, values: Mapping[str, Any] | Sequence[Any], known: Mapping[str, str], end: str = ";"
    ) -> Script:
        """One statement; `end` may keep its columns as variables."""
        given = values if isinstance(values, Mapping) else {}
        text = _VALUE.sub(lambda found: self._name(given[found[1]], known), statement)
        self.lines.append(" ".join(text.replace("%%", "%").split()) + end)
        return self

    def _name(self, value: Any, known: Mapping[str, str]) -> str:
        if value is None:
            return "NULL"
        text = "{" + ",".join(f'"{each}"' for each in value) + "}" if isinstance(value, list) else str(value)
        if text in known:
            return f":{known[text]}"
        name = next((name for name, each in self.values.items() if each == text), f"v{len(self.values)}")
        self.values[name] = text
        return f":{name}"


def replay(
    server: Postgres,
    url: str,
    scripts: Sequence[tuple[Script, int]],
    *,
    clients: int,
    meanwhile: Meanwhile,
    rate: float,
) -> Measured:
    """Run weighted scripts, `rate` of them a second in all (0: as many as they can), while `meanwhile` goes on.

    What came before it, when every session planned its statements, is not counted.
    """
    with tempfile.TemporaryDirectory(prefix="chorus-replay-") as folder:
        command = [str(server.binaries / "pgbench"), "-n", "-M", "prepared", f"-c{clients}", "-j2", "-l"]
        command += ["--log-prefix", f"{folder}/log", f"-T{_LONGEST_SECONDS}", *_files(scripts, Path(folder))]
        command += [f"-R{rate:g}"] if rate else []
        said = Path(folder, "said")
        with said.open("wb") as output:
            run = subprocess.Popen([*command, url], stdout=output, stderr=output, cwd=folder)
        try:
            _wait_for_sessions(server, url, clients, lambda: run.poll() is None)
            time.sleep(_WARM_SECONDS + clients / _SESSIONS_A_SECOND)
            since = time.time()
            with watched(server, url) as done:
                meanwhile()
            until = time.time()
            assert run.poll() is None, said.read_text()[:2000]
        finally:
            run.kill()
            run.wait(10)
        # The last line of a file may be cut.
        lines = [line.split() for log in Path(folder).glob("log.*") for line in log.read_text().splitlines()[:-1]]
    taken = sorted(int(line[2]) / 1000 for line in lines if since <= int(line[4]) + int(line[5]) / 1e6 <= until)
    return Measured(milliseconds=taken, **done)


def _files(scripts: Sequence[tuple[Script, int]], folder: Path) -> list[str]:
    options, values = [], dict[str, str]()
    for number, (script, weight) in enumerate(scripts):
        path = folder / f"{number}.sql"
        path.write_text(re.sub(r"(?<!:):(v\d+)\b", rf":s{number}\1", "\n".join(script.lines)))
        values |= {f"s{number}{name}": value for name, value in script.values.items()}
        options += ["-f", f"{path}@{weight}"]
    return [*options, *(part for name, value in values.items() for part in ("-D", f"{name}={value}"))]


def _wait_for_sessions(server: Postgres, url: str, wanted: int, goes_on: Callable[[], bool]) -> None:
    count = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")
    end = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < end and goes_on():
        with server.administer() as connection:
            if connection.execute(count, {"name": sa.make_url(url).database}).scalar_one() >= wanted:
                return
        time.sleep(0.2)
    assert not goes_on(), f"pgbench has not opened {wanted} sessions"


@contextmanager
def watched(server: Postgres, url: str) -> Iterator[dict[str, Any]]:
    """Filled in at its end: seconds, CPU seconds of the server, transactions, and the sessions that there are then."""
    done: dict[str, Any] = {}
    before = _look(server, url)
    yield done
    after = _look(server, url)
    done |= {name: after[name] - before[name] for name in before} | {"sessions": after["sessions"]}
    done["memory_mib"] = _memory_mib(server)


def _look(server: Postgres, url: str) -> dict[str, Any]:
    asked = "SELECT xact_commit + xact_rollback, numbackends FROM pg_stat_database WHERE datname = :name"
    with server.administer() as connection:
        transactions, sessions = connection.execute(sa.text(asked), {"name": sa.make_url(url).database}).one()
    cpu = server_cpu_seconds(server)
    return {"seconds": time.monotonic(), "cpu_seconds": cpu, "transactions": transactions, "sessions": sessions}


def _memory_mib(server: Postgres) -> float:
    root, held = psutil.Process(server.process_id()), 0.0
    for process in (root, *root.children()):
        with suppress(psutil.Error):
            held += process.memory_full_info().pss / (1 << 20)
    return held


def server_cpu_seconds(server: Postgres) -> float:
    """User and system time of all processes of the server so far, ended ones included."""
    root = psutil.Process(server.process_id())
    times = root.cpu_times()
    seconds = times.user + times.system + times.children_user + times.children_system
    for child in root.children():
        with suppress(psutil.Error):
            own = child.cpu_times()
            seconds += own.user + own.system
    return float(seconds)
