"""What can be done to a stack, each with its undoing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Final

import psutil

from tests.chaos.census import below
from tests.chaos.own_disk import filled
from tests.chaos.world import World

# Of the supervisor's hang_seconds some are shorter, some longer: what is woken goes on, or is found replaced.
_FROZEN_SECONDS: Final = (1.0, 22.0)
_AWAY_SECONDS: Final = (1.0, 12.0)
_JUMPS_SECONDS: Final = (-6 * 3600, -3600, -300, -20, 20, 300, 3600, 6 * 3600)
_VICTIMS: Final = (
    "api", "worker", "render zygote", "render child", "preprocess", "reading child", "probe child", "triton",
    "triton's stub",
)  # fmt: skip
_VICTIM_SECONDS: Final = 15.0
# Another writer, until its stdin is closed.
_HOLD_LOCK: Final = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""

Inflicted = AbstractContextManager[str]


@dataclass(frozen=True, slots=True)
class Fault:
    """It is there inside of the block that `inflict` gives, which tells what exactly was done."""

    name: str
    inflict: Callable[[World, Random], Inflicted]
    needs: str = ""
    """What the machine must allow, by the words of World.impossible"""


def all_faults(world: World) -> Sequence[Fault]:
    """What makes sense on this state, whether this machine allows it or not."""
    faults = [Fault(f"kill -9 {kind}", _killed(kind)) for kind in _VICTIMS]
    faults += [Fault(f"SIGSTOP {kind}", _frozen(kind)) for kind in _VICTIMS]
    faults += [Fault("disk full", _disk_full, needs="disk"), Fault("clock jumps", _clock_moved, needs="clock")] * 2
    if world.servers is None:
        return [*faults, Fault("database locked", _database_locked)]
    faults += [Fault("database killed", _database_away), Fault("database frozen", _database_frozen)]
    return [*faults, Fault("bucket killed", _bucket_away), Fault("bucket frozen", _bucket_frozen)]


def _killed(kind: str) -> Callable[[World, Random], Inflicted]:
    @contextmanager
    def inflict(world: World, chance: Random) -> Iterator[str]:
        # Chance is asked before the stack is: so a round can be repeated.
        place = chance.random()
        victim = _victim(world, kind, place)
        if victim is not None:
            with suppress(psutil.Error):
                victim.kill()
        yield f"{kind} {victim.pid if victim else '(none there)'}"

    return inflict


def _frozen(kind: str) -> Callable[[World, Random], Inflicted]:
    @contextmanager
    def inflict(world: World, chance: Random) -> Iterator[str]:
        place, seconds = chance.random(), chance.uniform(*_FROZEN_SECONDS)
        victim = _victim(world, kind, place)
        with _stopped([victim] if victim else []):
            time.sleep(seconds if victim else 0)
            yield f"{kind} {victim.pid if victim else '(none there)'} for {seconds:.1f} s"

    return inflict


def _victim(world: World, kind: str, place: float) -> psutil.Process | None:
    """One of that kind, waited for a while: a render child is there only now and then."""
    end = time.monotonic() + _VICTIM_SECONDS
    while time.monotonic() < end:
        found = [process for each, process in below(world.root) if each == kind]
        if found:
            return found[int(place * len(found))]
        time.sleep(0.05)
    return None


@contextmanager
def _stopped(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """None of them runs inside of the block; who was killed meanwhile, or replaced, is nobody's concern."""
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)


@contextmanager
def _disk_full(world: World, chance: Random) -> Iterator[str]:
    seconds = chance.uniform(*_AWAY_SECONDS)
    with filled(world.stack.home):
        time.sleep(seconds)
        yield f"for {seconds:.1f} s"


@contextmanager
def _clock_moved(world: World, chance: Random) -> Iterator[str]:
    first, second, seconds = *chance.sample(_JUMPS_SECONDS, 2), chance.uniform(*_AWAY_SECONDS)
    assert world.clock is not None
    try:
        for jump in (first, second):
            world.clock.move(jump)
            time.sleep(seconds / 2)
        yield f"to {first:+d} s, to {second:+d} s, and back after {seconds:.1f} s"
    finally:
        world.clock.move(0)


@contextmanager
def _database_locked(world: World, chance: Random) -> Iterator[str]:
    seconds = chance.uniform(*_AWAY_SECONDS)
    command = [*world.inside, sys.executable, "-c", _HOLD_LOCK, str(world.home / "data" / "chorus.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        held = bool(other.stdout.readline())
        time.sleep(seconds)
        yield f"for {seconds:.1f} s" if held else "(was not to be had)"
        other.stdin.close()


@contextmanager
def _database_away(world: World, chance: Random) -> Iterator[str]:
    seconds = chance.uniform(*_AWAY_SECONDS)
    assert world.servers is not None
    world.servers.postgres.crash()
    try:
        time.sleep(seconds)
        yield f"for {seconds:.1f} s"
    finally:
        world.servers.postgres.start()


@contextmanager
def _bucket_away(world: World, chance: Random) -> Iterator[str]:
    seconds = chance.uniform(*_AWAY_SECONDS)
    assert world.servers is not None
    world.servers.bucket.stop()
    try:
        time.sleep(seconds)
        yield f"for {seconds:.1f} s"
    finally:
        world.servers.bucket.start()


@contextmanager
def _database_frozen(world: World, chance: Random) -> Iterator[str]:
    assert world.servers is not None
    with _tree_stopped(world.servers.postgres.process_id(), chance) as told:
        yield told


@contextmanager
def _bucket_frozen(world: World, chance: Random) -> Iterator[str]:
    assert world.servers is not None
    with _tree_stopped(world.servers.bucket.process_id(), chance) as told:
        yield told


@contextmanager
def _tree_stopped(root: int, chance: Random) -> Iterator[str]:
    seconds = chance.uniform(*_FROZEN_SECONDS)
    top = psutil.Process(root)
    with _stopped([top, *top.children(recursive=True)]):
        time.sleep(seconds)
        yield f"for {seconds:.1f} s"
