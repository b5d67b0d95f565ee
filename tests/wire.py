"""A TCP proxy that breaks connections when it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.gateway_stack import wait_until

_CHUNK = 16 << 10


@dataclass(frozen=True, slots=True)
class _Pair:
    """A connection of a client, and ours to the server."""

    client: socket.socket
    server: socket.socket
    frozen: threading.Event = field(default_factory=threading.Event)

    def break_off(self) -> None:
        for side in (self.client, self.server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


class Wire:
    """Carries bytes between clients and a server; safe to share by threads."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on loopback."""
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._pairs: list[_Pair] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._up_left: int | None = None
        self._down_left: int | None = None
        self._is_deaf = False
        self.breaks = 0
        """How often a count of bytes has broken connections"""
        self._threads[0].start()

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many have been made until now."""
        return len(self._pairs)

    def break_after(self, *, up: int | None = None, down: int | None = None) -> None:
        """Break every connection once, when that many bytes more have gone to the server or come from it."""
        with self._lock:
            self._up_left, self._down_left = up, down

    @contextmanager
    def answers_lost(self, *, until: Callable[[], bool]) -> Iterator[None]:
        """Carry nothing to clients until something has come true, and break every connection then."""

        def wait() -> None:
            wait_until(until)
            self.break_off()

        self._is_deaf = True
        waiter = threading.Thread(target=wait)
        waiter.start()
        try:
            yield
        finally:
            waiter.join()

    def break_off(self) -> None:
        """Break every connection now; new ones carry everything."""
        with self._lock:
            self._is_deaf = False
            for pair in self._pairs:
                pair.break_off()

    def freeze(self) -> None:
        """Carry nothing any more on the connections that there are, without a word to either side."""
        with self._lock:
            for pair in self._pairs:
                pair.frozen.set()

    def close(self) -> None:
        """Break everything and take no new connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_off()
        for thread in self._threads:
            thread.join(5)
        for pair in self._pairs:
            pair.client.close()
            pair.server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                return
            pair = _Pair(client, server)
            with self._lock:
                self._pairs.append(pair)
            for carry in (self._carry_up, self._carry_down):
                thread = threading.Thread(target=carry, args=[pair])
                self._threads.append(thread)
                thread.start()

    def _carry_up(self, pair: _Pair) -> None:
        while content := _receive(pair.client):
            with self._lock:
                self._up_left = self._count(self._up_left, len(content))
            if not pair.frozen.is_set():
                _send(pair.server, content)
        pair.break_off()

    def _carry_down(self, pair: _Pair) -> None:
        while content := _receive(pair.server):
            with self._lock:
                self._down_left = self._count(self._down_left, len(content))
            if not (self._is_deaf or pair.frozen.is_set()):
                _send(pair.client, content)
        pair.break_off()

    def _count(self, left: int | None, size: int) -> int | None:
        if left is None:
            return None
        if left > size:
            return left - size
        self.breaks += 1
        for pair in self._pairs:
            pair.break_off()
        return None


@contextmanager
def open_wire(address: str) -> Iterator[Wire]:
    """A wire to a server at host:port, closed at the end."""
    wire = Wire(int(address.rpartition(":")[2]))
    try:
        yield wire
    finally:
        wire.close()


def _receive(side: socket.socket) -> bytes:
    try:
        return side.recv(_CHUNK)
    except OSError:
        return b""


def _send(side: socket.socket, content: bytes) -> None:
    with suppress(OSError):
        side.sendall(content)
