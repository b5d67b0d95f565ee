"""Random rounds: anything may happen to any process, to the disk, the clock, the database and the store.

`make chaos ROUNDS=100 SEED=1`; with MINUTES=60 none begins after an hour; ROUND=17 repeats one. What is printed tells
what was done.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from tests.chaos.invariants import is_swept, left_behind
from tests.chaos.outcome import rising, table
from tests.chaos.rounds import Round, Rounds
from tests.chaos.world import World, made_world
from tests.states import Servers

_SWEEP_SECONDS: Final = 120.0
# Uploads that broke off are kept for a day or two; then all is swept that belongs to nobody.
_DAYS_LATER: Final = 3 * 24 * 3600.0


@pytest.fixture(params=["sqlite and folder", "postgresql and s3"])
def world(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[World]:
    with made_world(tmp_path, None if request.param == "sqlite and folder" else servers) as made:
        yield made


# Each wait has an end of its own.
@pytest.mark.timeout(0)
def test_nothing_is_lost(
    world: World, request: pytest.FixtureRequest, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seed, only = request.config.getoption("--seed"), request.config.getoption("--round")
    numbers = [only] if only is not None else range(1, request.config.getoption("--rounds") + 1)
    rounds = Rounds(world, seed, tmp_path)
    rounds.warm_up()
    played: list[Round] = []
    console, end = Console(width=150), time.monotonic() + 60 * request.config.getoption("--minutes")
    try:
        for number in takewhile(lambda _: time.monotonic() < end, numbers):
            played.append(rounds.play(number))
            with capfd.disabled():
                console.print(f"seed {seed}, {played[-1]}", highlight=False, markup=False)
        found = [f"seed {seed}, {each}" for each in played if each.broken]
        found += [*rising(played), *left_for_ever(world)]
    finally:
        with capfd.disabled():
            if played:
                console.print(table(request.node.name, played, rounds.first.held, world.refused))
            for what, why in world.impossible.items():
                console.print(f"LEFT OUT, since this machine does not allow it: {what}: {why}")
    assert not found, "\n".join(found)


def left_for_ever(world: World) -> list[str]:
    """What is still there when days have passed for the stack and its processes have swept.

    A bucket refuses whoever has a clock that wrong: there, only what no sweep looks for.
    """
    if world.bucket is not None or world.clock is None:
        return [each for each in left_behind(world) if not is_swept(each)]
    world.clock.move(_DAYS_LATER)
    # They sweep when they start.
    world.stack.kill("services.gateway")
    world.stack.kill("services.worker")
    end = time.monotonic() + _SWEEP_SECONDS
    while (found := left_behind(world)) and time.monotonic() < end:
        time.sleep(2)
    world.clock.move(0)
    return found
