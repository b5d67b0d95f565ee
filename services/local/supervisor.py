"""Keeps a set of services running: starts, watches, restarts with back-off, stops; knows nothing of what they do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event

from services.errors import ChorusError, ErrorKind
from services.local.child import Child, Service
from services.local.log_file import LogFile

_POLL_SECONDS = 0.1
_HEALTH_SECONDS = 2.0
_STOP_SECONDS = 10.0  # longer than a worker or an api takes to give up by itself, 9 s
_BACK_OFF_LIMIT = 10.0
_MOST_DEATHS = 8
_DEATHS_WINDOW = 300.0


@dataclass(slots=True)
class _Watched:
    service: Service
    child: Child | None = None
    ready: bool = False
    start_at: float = 0.0
    checked_at: float = 0.0
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_DEATHS))


class Supervisor:
    """Runs tiers of services; a later tier is stopped before an earlier one. All calls from one thread."""

    def __init__(
        self,
        tiers: Sequence[Sequence[Service]],
        log: LogFile,
        report: Callable[[str], None],
        *,
        stop_seconds: float = _STOP_SECONDS,
    ) -> None:
        """`report` gets one line for a person whenever something happens; a tier gets `stop_seconds` to end."""
        self._tiers = [[_Watched(service) for service in tier] for tier in tiers]
        self._all = [watched for tier in self._tiers for watched in tier]
        self._log = log
        self._report = report
        self._stop_seconds = stop_seconds

    def start(self, stop: Event) -> None:
        """Start all at once and return when all are ready, or when `stop` is set.

        Raises UNAVAILABLE when one ends before it is ready, and DEADLINE when one is not ready in time.
        """
        for watched in self._all:
            self._start_child(watched)
        while not all(watched.ready for watched in self._all) and not stop.is_set():
            for watched in self._all:
                self._fail_early(watched)
                self._look_for_ready(watched)
            stop.wait(_POLL_SECONDS)

    def watch(self, stop: Event) -> None:
        """Restart what dies until `stop` is set; UNAVAILABLE when a service keeps dying."""
        while not stop.wait(_POLL_SECONDS):
            for watched in self._all:
                self._keep_alive(watched)

    def stop(self) -> None:
        """Stop all, the last tier first, killing what does not end in time. Nothing is left when it returns."""
        for tier in reversed(self._tiers):
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

    def _start_child(self, watched: _Watched) -> None:
        watched.ready = False
        try:
            watched.child = Child(watched.service, self._log)
        except OSError as error:
            raise ChorusError(
                ErrorKind.UNAVAILABLE, "process-not-started", process=watched.service.name, reason=str(error)
            ) from error

    def _fail_early(self, watched: _Watched) -> None:
        child, name = watched.child, watched.service.name
        if child is None or watched.ready:
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
        if watched.child is None or watched.ready or not watched.service.is_ready():
            return
        watched.ready = True
        self._say(f"{watched.service.name:<12} ready  {watched.service.address:<22} {watched.child.age:.1f} s")

    def _keep_alive(self, watched: _Watched) -> None:
        if watched.child is None:
            if time.monotonic() >= watched.start_at:
                self._start_child(watched)
            return
        problem = watched.child.exit_text() or self._illness(watched)
        if problem is None:
            self._look_for_ready(watched)
            return
        self._bury(watched, watched.child, problem)

    def _illness(self, watched: _Watched) -> str | None:
        assert watched.child is not None
        if not watched.ready:
            return "did not become ready" if watched.child.age > watched.service.ready_seconds else None
        if time.monotonic() - watched.checked_at < _HEALTH_SECONDS:
            return None
        watched.checked_at = time.monotonic()
        return "lost a part of itself" if watched.service.is_broken(watched.child.pid) else None

    def _bury(self, watched: _Watched, child: Child, problem: str) -> None:
        child.end(time.monotonic())
        watched.child = None
        now = time.monotonic()
        watched.deaths.append(now)
        name = watched.service.name
        if len(watched.deaths) == _MOST_DEATHS and now - watched.deaths[0] < _DEATHS_WINDOW:
            raise ChorusError(
                ErrorKind.UNAVAILABLE,
                "process-keeps-failing",
                process=name,
                problem=problem,
                times=_MOST_DEATHS,
                lines=child.tail(),
            )
        recent = sum(now - death < _DEATHS_WINDOW for death in watched.deaths)
        delay = min(_BACK_OFF_LIMIT, 0.25 * 2 ** (recent - 1))
        watched.start_at = now + delay
        self._say(f"{name:<12} {problem}; starting it again")

    def _say(self, line: str) -> None:
        self._log.write("chorus", line)
        self._report(line)
