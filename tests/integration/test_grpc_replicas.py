"""Replicas of a service behind one name: calls are spread, a dead one is left, a new one is taken, none fails."""

from __future__ import annotations

import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import grpc

from services.grpc_client import open_channel
from tests.answering_server import TICKS, WHERE, answering_server
from tests.name_server import name_server

_CALL_SECONDS = 20
# A server ends every connection after 10 s, and its clients look the name up again.
_SECONDS = 15.0


def test_calls_are_spread_and_replicas_come_and_go_without_a_failed_call() -> None:
    port = _free_port()
    with ExitStack() as stack:
        names = stack.enter_context(name_server("127.0.0.1", "127.0.0.2", "127.0.0.3"))
        first, second, third = (stack.enter_context(answering_server(f"{host}:{port}")) for host in names.addresses)
        channel = stack.enter_context(open_channel(names.target("replicas.test", port)))
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(WHERE)
        ticks: grpc.UnaryStreamMultiCallable[bytes, bytes] = stack.enter_context(
            open_channel(f"127.0.0.2:{port}")
        ).unary_stream(TICKS)
        begun, stream = time.monotonic(), iter(ticks(b""))

        def answered(calls: int = 30) -> Counter[str]:
            """How many calls each replica answered; one that fails ends the test."""
            return Counter(call(b"", timeout=_CALL_SECONDS).decode().split(":")[0] for _ in range(calls))

        _until(lambda: set(answered(6)) == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}, 5)
        assert answered() == {"127.0.0.1": 10, "127.0.0.2": 10, "127.0.0.3": 10}

        first.kill()
        killed = _until(lambda: "127.0.0.1" not in answered(6), 3)

        # Once the dead one is forgotten nothing breaks any more: the name is looked up again only because the servers
        # end each connection after a while.
        names.addresses = ["127.0.0.2", "127.0.0.3"]
        time.sleep(3)
        stack.enter_context(answering_server(f"127.0.0.4:{port}"))
        names.addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
        joined = _until(lambda: "127.0.0.4" in answered(6), _SECONDS)

        # Its connection stays open, as that of a machine does which lost its network.
        third.send_signal(signal.SIGSTOP)
        silent = _until(lambda: "127.0.0.3" not in answered(6), _SECONDS)

        # Longer than a server keeps a connection, and not cut.
        assert time.monotonic() - begun > 13
        assert len([next(stream) for _ in range(125)]) == 125

        second.send_signal(signal.SIGTERM)
        stopped = _until(lambda: set(answered(6)) == {"127.0.0.4"}, _SECONDS)
        assert second.wait(10) == 0
        print(f"killed: left after {killed:.2f} s; new: taken after {joined:.1f} s; silent: left after {silent:.1f} s")
        print(f"stopped: left after {stopped:.2f} s")


def _until(reached: Callable[[], bool], seconds: float) -> float:
    """Seconds until it is reached."""
    begun = time.monotonic()
    while not reached():
        assert time.monotonic() - begun < seconds
    return time.monotonic() - begun


def _free_port() -> int:
    """A port that is free on all of loopback."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])
