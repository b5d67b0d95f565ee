"""When chorus_client tries again, and when it gives up."""

from __future__ import annotations

import pytest

from chorus_client import ChorusError, ErrorKind
from chorus_client.attempts import Attempts


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("chorus_client.attempts.time.monotonic", clock)
    return clock


def error(kind: ErrorKind = ErrorKind.UNAVAILABLE) -> ChorusError:
    return ChorusError(kind, "a-code", "a message")


@pytest.mark.usefixtures("clock")
def test_delays_grow_to_a_limit_and_are_never_the_same() -> None:
    attempts = Attempts(1000)
    delays = [attempts.delay_after(error()) for _ in range(12)]
    for delay, most in zip(delays, [0.2, 0.4, 0.8, 1.6, 3.2, *[5.0] * 7], strict=True):
        assert most / 2 <= delay <= most
    assert len(set(delays)) == 12


def test_all_tries_together_have_one_deadline(clock: Clock) -> None:
    attempts = Attempts(10)
    attempts.delay_after(error())
    assert attempts.is_repeat
    clock.now += 9.95
    assert attempts.seconds_left == pytest.approx(0.05)
    with pytest.raises(ChorusError, match="a message"):
        attempts.delay_after(error())


def test_a_stream_that_went_on_has_all_its_time_again_from_the_next_failure_on(clock: Clock) -> None:
    attempts = Attempts(10)
    attempts.went_on()
    clock.now += 3600
    assert attempts.delay_after(error()) <= 0.2
    clock.now += 11
    with pytest.raises(ChorusError):
        attempts.delay_after(error())


@pytest.mark.parametrize("kind", ErrorKind)
def test_only_what_may_pass_is_tried_again(kind: ErrorKind) -> None:
    attempts = Attempts(10, also=[ErrorKind.CONFLICT])
    if error(kind).retryable or kind is ErrorKind.CONFLICT:
        assert attempts.delay_after(error(kind)) > 0
    else:
        with pytest.raises(ChorusError):
            attempts.delay_after(error(kind))
        assert not attempts.is_repeat
