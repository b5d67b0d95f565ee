"""One round: jobs are asked for, something is done to the stack meanwhile, and what must hold is looked at after it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.announcement import announcement
from tests.chaos.census import Held, take_census
from tests.chaos.faults import Fault, all_faults
from tests.chaos.invariants import Beginning, broken, look_at
from tests.chaos.world import World
from tests.load.inputs import made_different, short_clip

_SECONDS: Final = Fraction(1)
_JOBS: Final = (2, 2, 3)
_ENDED: Final = ("succeeded", "failed", "cancelled")
# About as long as the jobs of a round take on a loaded machine.
_MOMENTS_SECONDS: Final = 15.0
_SECOND_FAULT: Final = 0.3
_RECOVERY_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Round:
    """What was done, and what came of it."""

    number: int
    faults: Sequence[str]
    told: str
    """What exactly was done, and when"""
    jobs: Sequence[Mapping[str, Any]]
    recovery: float
    """Seconds from the undoing until all is ready and all jobs have ended"""
    seconds: float
    """Of all"""
    held: Mapping[str, Held]
    broken: Sequence[str]

    def __str__(self) -> str:
        states = ", ".join(f"{job['state']} ({job['attempt']})" for job in self.jobs)
        return (
            f"round {self.number}: {self.told}; jobs (attempts): {states}; recovered in {self.recovery:.1f} s,"
            f" {self.seconds:.1f} s in all" + "".join(f"\n    BROKEN: {each}" for each in self.broken)
        )


@dataclass(slots=True)
class Rounds:
    """The rounds of one stack. What a round does depends on the seed and its number alone."""

    world: World
    seed: int
    folder: Path
    """For clips"""
    known: dict[str, Fraction] = field(default_factory=dict)
    """How long the output of each job shall be, seconds"""
    first: Beginning = field(init=False)
    """Known after the warm-up"""

    def warm_up(self) -> None:
        """A round in which nothing is done: after it everything has been used once."""
        for by_rest in (True, False):
            self._wait(self._start("warm", by_rest, 2))
        self.first = look_at(self.world)

    def play(self, number: int) -> Round:
        """One round; TimeoutError or AssertionError when the stack does not come to rest."""
        begun, chance = time.monotonic(), Random(f"{self.seed}/{number}")
        count = chance.choice(_JOBS)
        faults, moments, left_out = self._choose(chance)
        told = [*left_out]
        try:
            with ThreadPoolExecutor(1) as pool, ExitStack() as undo:
                started = pool.submit(self._start, str(number), bool(number % 2), count)
                for fault, moment in zip(faults, moments, strict=True):
                    time.sleep(moment)
                    done = undo.enter_context(fault.inflict(self.world, chance))
                    told.append(f"after {moment:.1f} s {fault.name}: {done}")
                undo.close()
                undone = time.monotonic()
                ids = started.result()
            jobs = self._wait(ids)
        except TimeoutError as error:
            raise AssertionError(f"seed {self.seed}, round {number} ({', '.join(told)}): {error}") from error
        recovery = time.monotonic() - undone
        found = broken(self.world, self.known, ids, self.first)
        held = take_census(self.world.root)
        names = [fault.name for fault in faults]
        return Round(number, names, ", ".join(told), jobs, recovery, time.monotonic() - begun, held, found)

    def _choose(self, chance: Random) -> tuple[list[Fault], list[float], list[str]]:
        """One or two faults and the moment of each; and, in words, those that this machine does not allow."""
        wanted = 1 + (chance.random() < _SECOND_FAULT)
        chosen: list[Fault] = []
        left_out = []
        everything = all_faults(self.world)
        while len(chosen) < wanted:
            fault = chance.choice(everything)
            if fault.needs in self.world.impossible:
                left_out.append(f"LEFT OUT {fault.name} ({self.world.impossible[fault.needs]})")
            elif fault not in chosen:
                chosen.append(fault)
        return chosen, [chance.uniform(0, _MOMENTS_SECONDS / wanted) for _ in chosen], left_out

    def _start(self, name: str, by_rest: bool, count: int) -> list[str]:
        """A batch of clips that nobody has sent before."""
        audio = announcement(self.folder / "speech.wav", float(_SECONDS))
        clip = short_clip(self.folder / f"{name}.mp4", float(_SECONDS))
        videos = [made_different(clip, len(self.known) + each) for each in range(count)]
        ids = self.world.start_batch(audio, videos, by_rest=by_rest)
        self.known.update(dict.fromkeys(ids, _SECONDS))
        return ids

    def _wait(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The jobs when all have ended, and the stack is ready; TimeoutError."""
        jobs: list[dict[str, Any]] = []
        for _ in _until(time.monotonic() + _RECOVERY_SECONDS):
            jobs = [job for job in self.world.jobs() if job["id"] in ids]
            if all(job["state"] in _ENDED for job in jobs) and self.world.is_ready():
                return jobs
        shown = [(job["id"], job["state"], job["progress"]) for job in jobs]
        raise TimeoutError(f"not at rest: {shown}\n{self.world.stack.log()[-8000:]}")


def _until(end: float) -> Iterator[None]:
    while time.monotonic() < end:
        yield
        time.sleep(0.3)
