"""Children that are copies of a zygote: their own files and ends, and what is left when somebody is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from services.zygote import Zygote
from tests.gateway_stack import is_alive

SERVE = """
import os, signal, subprocess, sys, time
from services.zygote import serve
def work():
    program = sys.stdin.read()
    exec(program)
    return 0
serve(work, "test child")
"""
SECONDS = 20.0


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    with closing(Zygote([sys.executable, "-c", SERVE])) as made:
        yield made


def zygote_process(words: str = "services.zygote") -> psutil.Process:
    (found,) = [each for each in psutil.Process().children() if words in " ".join(each.cmdline())]
    return found


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def said(zygote: Zygote, program: str) -> tuple[bytes, int]:
    """What a child with this program says, and its exit code."""
    child = zygote.child()
    try:
        child.stdin.write(program.encode())
        child.stdin.close()
        return child.stdout.read(), child.wait(SECONDS)
    finally:
        child.end()


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("print(os.getpgid(0) == os.getpid())", 0),
        ("print(True); sys.exit(3)", 3),
        ("print(True, flush=True); raise RuntimeError", 1),
        ("print(True, flush=True); os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
    ids=["ends", "exits", "raises", "is killed"],
)
def test_a_child_has_files_a_group_and_an_end_of_its_own(zygote: Zygote, program: str, code: int) -> None:
    assert said(zygote, program) == (b"True\n", code)
    # Nobody is left unburied.
    until(lambda: not zygote_process().children())


def test_children_do_not_share_what_they_change(zygote: Zygote) -> None:
    count = "sys.seen = getattr(sys, 'seen', 0) + 1; print(sys.seen, open(0).read())"
    assert [said(zygote, count)[0] for _ in range(3)] == [b"1 \n"] * 3


def test_an_end_takes_what_a_child_has_started_with_it(zygote: Zygote, tmp_path: Path) -> None:
    child = zygote.child()
    child.stdin.write(b"print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)")
    child.stdin.close()
    grandchild = int(child.stdout.readline())
    child.end()
    until(lambda: not is_alive(grandchild))


def test_a_killed_zygote_takes_its_children_along_and_is_replaced(zygote: Zygote) -> None:
    child = zygote.child()
    child.stdin.write(b"print(os.getpid(), flush=True); time.sleep(60)")
    child.stdin.close()
    number = int(child.stdout.readline())
    killed = zygote_process()
    killed.kill()
    assert child.wait(SECONDS) == -signal.SIGKILL
    until(lambda: not is_alive(number))
    child.end()
    assert said(zygote, "print(1)") == (b"1\n", 0)
    assert zygote_process().pid != killed.pid


def test_one_that_was_killed_while_it_waited_is_replaced(zygote: Zygote) -> None:
    zygote.warm()
    until(lambda: "services.zygote" in " ".join(zygote_process().cmdline()))
    for _ in range(2):
        killed = zygote_process()
        killed.kill()
        until(lambda number=killed.pid: not is_alive(number))  # type: ignore[misc]
        assert said(zygote, "print(1)") == (b"1\n", 0)


def test_a_frozen_zygote_gives_way(zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.zygote._END_SECONDS", 0.5)
    child = zygote.child()
    child.stdin.write(b"print(os.getpid(), flush=True); time.sleep(60)")
    child.stdin.close()
    number = int(child.stdout.readline())
    zygote_process().send_signal(signal.SIGSTOP)
    child.end()
    until(lambda: not is_alive(number))
    assert said(zygote, "print(1)") == (b"1\n", 0)


def test_nobody_outlives_who_asked_for_them() -> None:
    asker = (
        "import os, sys, time; from services.zygote import Zygote\n"
        f"zygote = Zygote([sys.executable, '-c', {SERVE!r}]); child = zygote.child()\n"
        "child.stdin.write(b'print(os.getppid(), os.getpid(), flush=True); time.sleep(60)'); child.stdin.close()\n"
        "print(child.stdout.readline().decode(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", asker], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        numbers = [int(number) for number in process.stdout.readline().split()]
        assert len(numbers) == 2
        process.kill()
    until(lambda: not any(is_alive(number) for number in numbers))


def test_that_of_renders_has_one_thread_and_bounds_each_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_STORE_URL", tmp_path.as_uri())
    with closing(Zygote([sys.executable, "-m", "services.render", "zygote"])) as zygote:
        child = zygote.child()
        try:
            found = zygote_process("services.render zygote")
            until(lambda: bool(found.children()))
            (made,) = found.children()
            until(lambda: made.name() == "render child")
            until(lambda: made.rlimit(psutil.RLIMIT_DATA)[0] == 8 << 30)
            # More of them would not be in its copies, and who holds their locks neither.
            assert found.num_threads() == 1
            assert found.rlimit(psutil.RLIMIT_DATA)[0] != 8 << 30
            os.kill(made.pid, signal.SIGKILL)
            assert child.wait(SECONDS) == -signal.SIGKILL
        finally:
            child.end()
