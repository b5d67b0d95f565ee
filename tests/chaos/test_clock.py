"""The clock that jumps: nothing else about time may change, or the rounds would find faults of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.chaos.clock import Clock, make_clock

_HOUR = 3600
# The wall clock, and how long four waits of 0.1 s take: until moments of two clocks, in Python and in multiprocessing.
_SHOWS = """
import multiprocessing, threading, time
wall, begun = time.time(), time.monotonic()
time.sleep(0.1)
threading.Event().wait(0.1)
threading.Lock().acquire(timeout=0.1)
semaphore = multiprocessing.Semaphore(0)
semaphore.acquire(timeout=0.1)
print(wall, time.monotonic() - begun)
"""


@pytest.mark.parametrize("seconds", [0, 3 * _HOUR + 0.7, -3 * _HOUR - 0.7])
def test_only_the_wall_clock_jumps(seconds: float, tmp_path: Path) -> None:
    clock = make_clock(tmp_path)
    if not isinstance(clock, Clock):
        pytest.skip(clock)
    clock.move(seconds)
    before = _shown({})
    wall, waited = _shown(clock.environment)
    assert wall - before[0] == pytest.approx(seconds, abs=30)
    # Of a wait that took the moved clock for the kernel's, nothing or hours would be left.
    assert 0.3 <= waited < 30


def _shown(changes: Mapping[str, str]) -> tuple[float, float]:
    environment = {**os.environ, **changes}
    done = subprocess.run(
        [sys.executable, "-c", _SHOWS], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    wall, waited = done.stdout.split()
    return float(wall), float(waited)
