"""One child process of the supervisor: starts it so that it cannot outlive us, watches it, ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from services.local.log_file import Drain, LogFile
from services.local.settings import child_environment
from services.parent_death import dying_with_us

# Of what a service had started, once it has ended itself.
_REST_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How one process of the stack is started and watched."""

    name: str
    command: tuple[str, ...]
    """With the program's whole path"""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Changes to the supervisor's own environment"""
    address: str = ""
    """What a person should know of where it listens"""
    is_ready: Callable[[], bool]
    """Asked until True after each start; answers within seconds"""
    is_broken: Callable[[int], bool] = lambda _: False
    """Asked now and then with the process id: True when it lives but has to be replaced"""
    answers: Callable[[], bool] = lambda: True
    """Asked every few seconds once it is ready, in a thread of its own: whether it does its work; gives up by itself"""
    clear_leftovers: Callable[[], None] = lambda: None
    """Called before each start and after the stop: removes what a killed start left outside its process"""
    is_noise: Callable[[str], bool] = lambda _: False
    """True for a line of output that says nothing to anybody"""
    ready_seconds: float = 60.0


class Child:
    """A running Service. Use it from one thread, the one that started it, which must live as long as it does."""

    def __init__(self, service: Service, log: LogFile) -> None:
        service.clear_leftovers()
        self.service = service
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            dying_with_us(service.command),
            env=child_environment(service.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A group of its own: the terminal's Ctrl-C reaches only the supervisor, and the group can be killed whole.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._drain = Drain(log, service.name, self._process.stdout, is_noise=service.is_noise)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.started

    def exit_text(self) -> str | None:
        """None while it runs; else how it ended, for a person."""
        code = self._process.poll()
        if code is None:
            return None
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def tail(self) -> str:
        """The last lines that it printed."""
        return self._drain.tail()

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for it until `deadline` (monotonic), then kill it with all that it started."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        self._process.kill()
        self._process.wait()
        with suppress(ProcessLookupError):
            self._let_the_rest_end()
            os.killpg(self._process.pid, signal.SIGKILL)

    def _let_the_rest_end(self) -> None:
        """Some of what it started removes what it left outside: multiprocessing's tracker its semaphores.

        ProcessLookupError when nothing is left of it.
        """
        end = time.monotonic() + _REST_SECONDS
        while time.monotonic() < end:
            os.killpg(self._process.pid, 0)
            time.sleep(0.02)
