"""Keeps a set of services running: starts, watches, restarts with back-off, stops; knows nothing of what they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event

from services.errors import ChorusError, ErrorKind
from services.local.child import Child, Service
from services.local.log_file import LogFile
from services.local.pulse import Pulse

_POLL_SECONDS = 0.1
_CALM_POLL_SECONDS = 0.5  # while all are ready: ten looks a second would be most of what we cost
_HEALTH_SECONDS = 2.0
_STOP_SECONDS = 10.0  # longer than a worker or an api takes to give up by itself, 9 s
_HANG_SECONDS = 30.0
_FIRST_BACK_OFF = 0.25
_BACK_OFF_LIMIT = 60.0
_STEADY_SECONDS = 120.0  # who was ready for that long begins to count its deaths anew


@dataclass(slots=True)
class _Watched:
    service: Service
    child: Child | None = None
    pulse: Pulse | None = None
    ready_at: float | None = None
    start_at: float = 0.0
    checked_at: float = 0.0
    deaths: int = 0
    """In a row"""
    down: str = ""
    """Why it does not run at the moment"""


class Supervisor:
    """Runs tiers of services; a later tier is stopped before an earlier one. All calls from one thread."""

    def __init__(
        self,
        tiers: Sequence[Sequence[Service]],
        log: LogFile,
        report: Callable[[str], None],
        *,
        stop_seconds: float = _STOP_SECONDS,
        hang_seconds: float = _HANG_SECONDS,
    ) -> None:
        """`report` gets one line for a person whenever something happens; a tier gets `stop_seconds` to end.

        A service that is ready but does not answer for `hang_seconds` is killed and started again.
        """
        self._tiers = [[_Watched(service) for service in tier] for tier in tiers]
        self._all = [watched for tier in self._tiers for watched in tier]
        self._log = log
        self._report = report
        self._stop_seconds = stop_seconds
        self._hang_seconds = hang_seconds
        self._shown: Mapping[str, str] = {}

    def start(self, stop: Event) -> None:
        """Start all at once and return when all are ready, or when `stop` is set.

        Raises UNAVAILABLE when one ends before it is ready, and DEADLINE when one is not ready in time.
        """
        for watched in self._all:
            self._start_child(watched)
        while not all(watched.ready_at for watched in self._all) and not stop.is_set():
            for watched in self._all:
                self._fail_early(watched)
                self._look_for_ready(watched)
            stop.wait(_POLL_SECONDS)

    def watch(self, stop: Event, show: Callable[[Mapping[str, str]], bool] = lambda _: True) -> None:
        """Restart what dies or hangs until `stop` is set, what keeps dying ever more seldom; the others run on.

        `show` gets the services that do not run, by name, and why, whenever that changes, until it says that it could
        show them: on a full disk it cannot.
        """
        while not stop.wait(self._pause()):
            for watched in self._all:
                self._keep_alive(watched)
            down = {each.service.name: each.down for each in self._all if each.down}
            if down != self._shown and show(down):
                self._shown = down

    def stop(self) -> None:
        """Stop all, the last tier first, killing what does not end in time. Nothing is left when it returns."""
        for tier in reversed(self._tiers):
            for watched in tier:
                self._close_pulse(watched)
            children = [watched.child for watched in tier if watched.child is not None]
            for child in children:
                child.terminate()
            deadline = time.monotonic() + self._stop_seconds
            for child in children:
                child.end(deadline)
            for watched in tier:
                watched.child = None
                watched.service.clear_leftovers()

    def pid(self, name: str) -> int | None:
        """Process id of the service called `name`, None while it is down."""
        return next((w.child.pid for w in self._all if w.service.name == name and w.child is not None), None)

    def _pause(self) -> float:
        return _CALM_POLL_SECONDS if all(each.ready_at for each in self._all) else _POLL_SECONDS

    def _start_child(self, watched: _Watched) -> None:
        watched.ready_at = None
        try:
            watched.child = Child(watched.service, self._log)
        except OSError as error:
            raise ChorusError(
                ErrorKind.UNAVAILABLE, "process-not-started", process=watched.service.name, reason=str(error)
            ) from error

    def _fail_early(self, watched: _Watched) -> None:
        child, name = watched.child, watched.service.name
        if child is None or watched.ready_at:
            return
        if (ending := child.exit_text()) is not None:
            raise ChorusError(
                ErrorKind.UNAVAILABLE, "process-ended-early", process=name, ending=ending, lines=child.tail()
            )
        if child.age > watched.service.ready_seconds:
            child.end(time.monotonic())
            seconds = watched.service.ready_seconds
            raise ChorusError(
                ErrorKind.DEADLINE, "process-not-ready", process=name, seconds=seconds, lines=child.tail()
            )

    def _look_for_ready(self, watched: _Watched) -> None:
        service = watched.service
        if watched.child is None or watched.ready_at or not service.is_ready():
            return
        watched.ready_at = time.monotonic()
        watched.pulse = Pulse(service.answers, self._hang_seconds)
        self._say(f"{service.name:<12} ready  {service.address:<22} {watched.child.age:.1f} s")
        watched.down = ""

    def _keep_alive(self, watched: _Watched) -> None:
        if watched.child is None:
            if time.monotonic() >= watched.start_at:
                self._start_again(watched)
            return
        problem = watched.child.exit_text() or self._illness(watched)
        if problem is None:
            self._look_for_ready(watched)
            return
        watched.child.end(time.monotonic())
        self._put_off(watched, problem)

    def _start_again(self, watched: _Watched) -> None:
        try:
            self._start_child(watched)
        except ChorusError as error:
            # This machine has no room for a process, or its program was replaced: both may pass.
            self._put_off(watched, error.message)

    def _illness(self, watched: _Watched) -> str | None:
        assert watched.child is not None
        if watched.ready_at is None:
            return "did not become ready" if watched.child.age > watched.service.ready_seconds else None
        if time.monotonic() - watched.checked_at < _HEALTH_SECONDS:
            return None
        watched.checked_at = time.monotonic()
        if watched.pulse is not None and watched.pulse.is_lost():
            return f"has not answered for {self._hang_seconds:g} s and was killed"
        return "lost a part of itself" if watched.service.is_broken(watched.child.pid) else None

    def _put_off(self, watched: _Watched, problem: str) -> None:
        """It does not run: start it again after a while, which doubles as long as it does not stay up."""
        now = time.monotonic()
        if watched.ready_at is not None and now - watched.ready_at >= _STEADY_SECONDS:
            watched.deaths = 0
        watched.child, watched.ready_at = None, None
        self._close_pulse(watched)
        delay = min(_BACK_OFF_LIMIT, _FIRST_BACK_OFF * 2.0 ** min(watched.deaths, 16))
        watched.deaths += 1
        watched.start_at = now + delay
        self._say(f"{watched.service.name:<12} {problem}; starting it again in {delay:g} s (restart {watched.deaths})")
        watched.down = problem

    def _close_pulse(self, watched: _Watched) -> None:
        if watched.pulse is not None:
            watched.pulse.close()
            watched.pulse = None

    def _say(self, line: str) -> None:
        self._log.write("chorus", line)
        self._report(line)
