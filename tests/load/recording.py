"""What one real worker says to PostgreSQL: its transactions by the thread that made them, to count and to replay.

`python tests/load/recording.py` is that worker, with render children that only pretend; its settings are CHORUS_*.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from tests import gateway_stack
from tests.gateway_stack import StackSettings, environment_of, render_log, wait_until

_FILE: Final = "RECORDED_STATEMENTS"
_READY_SECONDS: Final = 90


@dataclass(slots=True)
class Transaction:
    """Statements with their values, in order, and the thread that made them."""

    thread: str
    statements: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def has(self, words: str) -> bool:
        """Whether one of its statements has these words."""
        return any(words in statement for statement, _ in self.statements)


@dataclass(frozen=True, slots=True)
class Recording:
    """A running worker and the file that it writes its statements to."""

    process: subprocess.Popen[bytes]
    file: Path

    def mark(self) -> int:
        """Where the file ends now."""
        return self.file.stat().st_size

    def since(self, mark: int) -> list[Transaction]:
        """The transactions that were ended after a mark."""
        with self.file.open() as lines:
            lines.seek(mark)
            return _transactions(json.loads(line) for line in lines if line.endswith("\n"))


def _transactions(events: Iterator[list[Any]]) -> list[Transaction]:
    ended, under_way = [], dict[int, Transaction]()
    for connection, thread, statement, values in events:
        if statement == "BEGIN":
            under_way[connection] = Transaction(thread)
        elif statement in ("COMMIT", "ROLLBACK"):
            if found := under_way.pop(connection, None):
                ended.append(found)
        elif connection in under_way:
            under_way[connection].statements.append((statement, values))
        else:
            ended.append(Transaction(thread, [(statement, values)]))
    return ended


@contextmanager
def recorded_worker(settings: StackSettings) -> Iterator[Recording]:
    """One worker that is ready; killed at the end."""
    file, log = settings.scratch.parent / "statements", settings.scratch.parent / "recorded-worker.log"
    file.touch()
    own = {_FILE: str(file), "FAKE_RENDER_LOG": str(render_log(settings)), "PYTHONPATH": str(gateway_stack.ROOT)}
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, __file__], env=environment_of(settings) | own, stderr=output)
    try:
        wait_until(lambda: "is ready" in log.read_text(), _READY_SECONDS)
        yield Recording(process, file)
    finally:
        process.kill()
        process.wait(10)


def _record(path: str) -> None:
    file, lock = Path(path).open("a"), threading.Lock()  # noqa: SIM115  # open as long as the process lives

    def write(connection: sa.Connection, statement: str, values: object) -> None:
        event = [id(connection.connection.dbapi_connection), threading.current_thread().name, statement, values]
        with lock:
            file.write(json.dumps(event, default=str) + "\n")
            file.flush()

    def executed(connection: sa.Connection, _cursor: object, statement: str, values: object, *_: object) -> None:
        write(connection, statement, values)

    sa.event.listen(sa.Engine, "before_cursor_execute", executed)
    for name in ("begin", "commit", "rollback"):
        sa.event.listen(sa.Engine, name, lambda connection, name=name: write(connection, name.upper(), None))


if __name__ == "__main__":
    _record(os.environ[_FILE])
    gateway_stack.main(sys.argv)
