"""Stands before every TCP connection of the REST door: how many there may be, and how long one may say nothing."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.crowd import Crowd
from services.descriptors import descriptor_limit

# A request's line and headers, from the connection or their first byte on.
_HEAD_SECONDS: Final = 15.0
_HEAD_BYTES: Final = 64 << 10
# Between an answer and the next request. Longer than proxies keep a connection (nginx 60 s, Traefik 90 s): a request
# that one sends at the moment of our end fails, and no proxy repeats a POST.
_IDLE_SECONDS: Final = 100
# The same when connections become rare.
_IDLE_SECONDS_IN_CROWD: Final = 5
_MOST: Final = 4000
# Others get in whatever one address does; a proxy, behind which all have one, reuses its connections.
_MOST_OF_ONE: Final = 2000
_WORDS: Final = b"Too many connections are open"
_CROWDED: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 10\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_WORDS), _WORDS)
)


def open_crowd() -> Crowd:
    """A quarter of what this process may have open; the gRPC door has half, the database and the store the rest."""
    most = min(_MOST, descriptor_limit() // 4)
    return Crowd(most, min(_MOST_OF_ONE, most // 2))


def protocol_of(crowd: Crowd) -> type[HttpToolsProtocol]:
    """What uvicorn makes of each connection."""

    class Watched(_WatchedProtocol):
        _crowd = crowd

    return Watched


class _WatchedProtocol(HttpToolsProtocol):
    """uvicorn waits for a request's head for ever, and for any length: here it has its time and its size.

    While a request is being answered its time is the application's, see patience.py.
    """

    _crowd: Crowd

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._address: str | None = None
        self._head_bytes = 0
        self._in_head = True
        self._is_idle = False
        self._has_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._crowd.enter(address):
            transport.write(_CROWDED)
            transport.close()
            return
        self._address = address
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_idle:
            self._is_idle = False
            self._expect_head()
        was_in_head = self._in_head
        super().data_received(data)
        if self._in_head and was_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        # Not when the answer before it is complete: the rest of a body that was refused may still come.
        self._head_bytes, self._in_head, self._has_body = 0, True, False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._has_body = True
        super().on_message_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > 2 * _HEAD_BYTES:
            raise ValueError("too long")  # the parser's caller answers 400
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._forget_deadline()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        has_next = bool(self.pipeline)
        self.timeout_keep_alive = _IDLE_SECONDS_IN_CROWD if self._crowd.is_half_full() else _IDLE_SECONDS
        super().on_response_complete()
        self._is_idle = self._has_body and not has_next
        if not self._has_body and not self.transport.is_closing():
            self._expect_head()  # of a request that was refused before all of it had come

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # From here on the connection is another protocol's, whose end is the connection's.
        successor: Any = self.transport.get_protocol()
        ended = successor.connection_lost

        def connection_lost(error: Exception | None) -> None:
            self._leave()
            ended(error)

        successor.connection_lost = connection_lost

    def _expect_head(self) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _leave(self) -> None:
        self._forget_deadline()
        if self._address is not None:
            self._crowd.leave(self._address)
            self._address = None
