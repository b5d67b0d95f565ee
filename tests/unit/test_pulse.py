"""Whether a process answers, asked again and again."""

from __future__ import annotations

import threading
import time

import pytest

from services.local.pulse import Pulse
from tests.gateway_stack import wait_until


def test_a_machine_that_slept_has_missed_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = threading.Event()
    asked: list[bool] = []

    def answers() -> bool:
        asked.append(not asleep.is_set())
        return asked[-1]

    clock = time.monotonic
    pulse = Pulse(answers, 30, ask_seconds=0.05)
    try:
        wait_until(lambda: True in asked)
        asleep.set()
        wait_until(lambda: False in asked)
        monkeypatch.setattr("services.local.pulse.time.monotonic", lambda: clock() + 3600)
        asleep.clear()
        assert not pulse.is_lost()
        wait_until(lambda: asked[-1])
        asleep.set()
        wait_until(lambda: asked[-4:] == [False] * 4)
        assert not pulse.is_lost()
        monkeypatch.setattr("services.local.pulse.time.monotonic", lambda: clock() + 3600 + 30)
        assert pulse.is_lost()
    finally:
        pulse.close()
