"""The supervisor with real, small child processes: it heals, it stops all, and nothing outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from services.errors import ChorusError, ErrorKind
from services.local.child import Service
from services.local.log_file import LogFile
from services.local.supervisor import Supervisor

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
WITH_CHILD = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); " + SLEEP
)


def _service(name: str, program: str, ready: Callable[[], bool] = lambda: True, seconds: float = 20.0) -> Service:
    return Service(name=name, command=(sys.executable, "-c", program), is_ready=ready, ready_seconds=seconds)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    log = LogFile(tmp_path / "chorus.log")
    yield log
    log.close()


@contextmanager
def _acting(act: Callable[[], None], stop: threading.Event) -> Iterator[None]:
    """Runs `act` beside the block, whose thread supervises, and then sets `stop`."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as failure:
            failures.append(failure)
        finally:
            stop.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(timeout=30)
    if failures:
        raise failures[0]


def _wait_for(condition: Callable[[], object], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def _wait_for_lines(path: Path, count: int) -> list[str]:
    _wait_for(lambda: path.exists() and path.read_text().count("\n") >= count)
    return path.read_text().splitlines()


def _children() -> list[psutil.Process]:
    """What the tests of this file have started; a server of the session makes new processes all the time."""
    everybody = psutil.Process().children(recursive=True)
    return [child for child in everybody if child.pid not in _OTHERS and child.name() not in ("postgres", "weed")]


# What other files of the session have left running on purpose.
_OTHERS: set[int] = set()


@pytest.fixture(autouse=True, scope="module")
def _others() -> None:
    _OTHERS.update(child.pid for child in psutil.Process().children(recursive=True))


def test_a_killed_service_is_started_again(log: LogFile) -> None:
    said: list[str] = []
    stop = threading.Event()
    supervisor = Supervisor([[_service("one", SLEEP), _service("two", SLEEP)]], log, said.append)
    supervisor.start(stop)
    first = supervisor.pid("one")
    assert first is not None

    def kill_and_wait() -> None:
        os.kill(first, signal.SIGKILL)
        _wait_for(lambda: supervisor.pid("one") not in (None, first) and said[-1].startswith("one          ready"))

    with _acting(kill_and_wait, stop):
        supervisor.watch(stop)
    supervisor.stop()
    assert any("killed by SIGKILL" in line for line in said)
    assert not any(line.startswith("two") and "again" in line for line in said)
    assert _children() == []


def test_a_service_that_lives_but_is_broken_is_replaced(log: LogFile) -> None:
    stop, sick = threading.Event(), threading.Event()
    service = Service(
        name="one",
        command=(sys.executable, "-c", SLEEP),
        is_ready=lambda: True,
        is_broken=lambda pid: sick.is_set() and pid == first,
    )
    supervisor = Supervisor([[service]], log, lambda _: None)
    supervisor.start(stop)
    first = supervisor.pid("one")
    sick.set()
    with _acting(lambda: _wait_for(lambda: supervisor.pid("one") not in (None, first)), stop):
        supervisor.watch(stop)
    supervisor.stop()


def test_one_that_keeps_dying_is_started_ever_more_seldom_while_the_others_run_on(
    log: LogFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.local.supervisor._FIRST_BACK_OFF", 0.01)
    monkeypatch.setattr("services.local.supervisor._BACK_OFF_LIMIT", 0.2)
    cure = tmp_path / "cure"
    program = f"import os, time\nwhile os.path.exists({str(cure)!r}): time.sleep(0.1)"
    said: list[str] = []
    asked: list[Mapping[str, str]] = []
    shown: list[Mapping[str, str]] = []

    def show(down: Mapping[str, str]) -> bool:
        """What is to be shown is never shown at once: the disk is full every other time."""
        asked.append(down)
        if len(asked) % 2:
            return False
        shown.append(down)
        return True

    weak = _service("weak", program, ready=cure.exists)
    supervisor = Supervisor([[weak, _service("strong", SLEEP)]], log, said.append)
    stop = threading.Event()
    cure.touch()
    supervisor.start(stop)
    strong = supervisor.pid("strong")

    def let_it_die_and_come_back() -> None:
        cure.unlink()
        _wait_for(lambda: any("(restart 10)" in line for line in said), 30)
        assert set(shown[-1]) == {"weak"}
        cure.touch()
        _wait_for(lambda: shown[-1] == {})

    with _acting(let_it_die_and_come_back, stop):
        supervisor.watch(stop, show)
    assert supervisor.pid("strong") == strong
    supervisor.stop()
    assert "weak         ended with exit code 0; starting it again in 0.01 s (restart 1)" in said
    assert "weak         ended with exit code 0; starting it again in 0.2 s (restart 10)" in said
    assert [line for line in said if line.startswith("weak         ready")][1:]
    assert _children() == []


def test_one_that_cannot_be_started_again_is_tried_again(
    log: LogFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.local.supervisor._BACK_OFF_LIMIT", 0.2)
    said: list[str] = []
    supervisor = Supervisor([[_service("one", SLEEP)]], log, said.append)
    stop = threading.Event()
    supervisor.start(stop)
    first = supervisor.pid("one")
    assert first is not None

    def refuse(*_: object) -> None:
        raise BlockingIOError("no more processes")

    def kill_and_refuse() -> None:
        with monkeypatch.context() as refusing:
            refusing.setattr("services.local.supervisor.Child", refuse)
            os.kill(first, signal.SIGKILL)
            _wait_for(lambda: any("no more processes" in line for line in said))
        _wait_for(lambda: supervisor.pid("one") not in (None, first))

    with _acting(kill_and_refuse, stop):
        supervisor.watch(stop)
    supervisor.stop()


def test_a_stopped_process_is_killed_and_started_again(log: LogFile, tmp_path: Path) -> None:
    told = tmp_path / "beat"
    program = f"import pathlib, time\nwhile True: pathlib.Path({str(told)!r}).touch(); time.sleep(0.05)"
    said: list[str] = []

    def answers() -> bool:
        told.unlink(missing_ok=True)
        time.sleep(0.3)
        return told.exists()

    service = Service(
        name="one", command=(sys.executable, "-c", program), is_ready=lambda: told.exists(), answers=answers
    )
    supervisor = Supervisor([[service]], log, said.append, hang_seconds=1.5)
    stop = threading.Event()
    supervisor.start(stop)
    first = supervisor.pid("one")
    assert first is not None

    def halt() -> None:
        time.sleep(3)
        assert supervisor.pid("one") == first
        os.kill(first, signal.SIGSTOP)
        _wait_for(lambda: supervisor.pid("one") not in (None, first))

    with _acting(halt, stop):
        supervisor.watch(stop)
    supervisor.stop()
    assert "one          has not answered for 1.5 s and was killed; starting it again in 0.25 s (restart 1)" in said
    assert not psutil.pid_exists(first)


def test_one_that_dies_at_its_start_is_told_with_its_last_words(log: LogFile) -> None:
    program = "import sys; print('no such database', file=sys.stderr); sys.exit(3)"
    supervisor = Supervisor([[_service("api", program, ready=lambda: False)]], log, lambda _: None)
    with pytest.raises(ChorusError, match=r"api ended with exit code 3 .*\nno such database") as error:
        supervisor.start(threading.Event())
    assert error.value.kind is ErrorKind.UNAVAILABLE
    supervisor.stop()


def test_one_that_never_gets_ready_is_told_in_time(log: LogFile) -> None:
    supervisor = Supervisor([[_service("slow", SLEEP, ready=lambda: False, seconds=0.5)]], log, lambda _: None)
    with pytest.raises(ChorusError, match=r"slow was not ready within 0\.5 s") as error:
        supervisor.start(threading.Event())
    assert error.value.kind is ErrorKind.DEADLINE
    supervisor.stop()
    assert _children() == []


def test_what_a_killed_service_shared_is_removed(log: LogFile, tmp_path: Path) -> None:
    """By the tracker that multiprocessing starts for that, if it is left the time."""
    said: list[str] = []
    stop = threading.Event()
    program = f"""
import multiprocessing, pathlib, time
lock = multiprocessing.get_context("spawn").Lock()
with pathlib.Path({str(tmp_path / "names")!r}).open("a") as names:
    print(lock._semlock.name, file=names)
time.sleep(600)
"""
    supervisor = Supervisor([[_service("one", program, (tmp_path / "names").exists)]], log, said.append)
    supervisor.start(stop)
    first = supervisor.pid("one")
    assert first is not None

    def kill_and_wait() -> None:
        (name,) = _wait_for_lines(tmp_path / "names", 1)
        assert (Path("/dev/shm") / f"sem.{name[1:]}").exists()
        os.kill(first, signal.SIGKILL)
        _wait_for_lines(tmp_path / "names", 2)
        assert not (Path("/dev/shm") / f"sem.{name[1:]}").exists()

    with _acting(kill_and_wait, stop):
        supervisor.watch(stop)
    supervisor.stop()


def test_stopping_kills_the_stubborn_and_the_grandchildren(log: LogFile) -> None:
    tiers = [[_service("one", WITH_CHILD)], [_service("two", STUBBORN)]]
    supervisor = Supervisor(tiers, log, lambda _: None, stop_seconds=3)
    supervisor.start(threading.Event())
    _wait_for(lambda: len(_children()) == 3)
    _wait_for(lambda: log.path.read_text().count('"message": "up"') == 2)  # the signal is ignored from now on
    everybody = _children()
    begun = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - begun < 10
    assert psutil.wait_procs(everybody, timeout=2)[1] == []


def test_every_line_of_a_child_lands_in_the_log_with_its_name(log: LogFile) -> None:
    program = "print('noise'); print('x' * 9000, flush=True); " + SLEEP
    service = Service(
        name="chatty",
        command=(sys.executable, "-c", program),
        is_ready=lambda: '"message": "up"' in log.path.read_text(),
        is_noise=lambda line: line == "noise",
    )
    supervisor = Supervisor([[service]], log, lambda _: None)
    log.write("chorus", "begin")
    supervisor.start(threading.Event())
    supervisor.stop()
    records = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert {record["service"] for record in records} == {"chatty", "chorus"}
    assert not any("noise" in record["message"] for record in records)
    assert max(len(record["message"]) for record in records) == 4000


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    program = (
        "import threading, sys, pathlib\n"
        "from services.local.child import Service\n"
        "from services.local.log_file import LogFile\n"
        "from services.local.supervisor import Supervisor\n"
        f"service = Service(name='one', command=(sys.executable, '-c', {SLEEP!r}), is_ready=lambda: True)\n"
        f"supervisor = Supervisor([[service]], LogFile(pathlib.Path({str(tmp_path)!r}) / 'log'), print)\n"
        "stop = threading.Event()\n"
        "supervisor.start(stop)\n"
        "print(supervisor.pid('one'), flush=True)\n"
        "supervisor.watch(stop)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        parent.stdout.readline()
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    _wait_for(lambda: not psutil.pid_exists(child))
