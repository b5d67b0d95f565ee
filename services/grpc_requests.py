"""What stands between the wire and a call of ours: how many there may be, how long a client may be silent, and whether
what it says makes sense.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError

from services.crowd import Crowd
from services.errors import ChorusError, ErrorKind

# A call that was opened sends its message in the same breath.
_FIRST_SECONDS: Final = 20.0
_SILENCE_SECONDS: Final = 90.0
_END: Final = object()

Item = TypeVar("Item")
Parse = Callable[[bytes], Any] | None
Check = Callable[[Any], None]


@contextmanager
def call_counted(open_calls: Crowd, peer: str) -> Iterator[None]:
    """One call is open inside the block; OVERLOADED when that were too many. `peer` is as gRPC tells it."""
    client = peer.rpartition(":")[0]
    if not open_calls.enter(client):
        raise ChorusError(ErrorKind.OVERLOADED, "too-many-calls")
    try:
        yield
    finally:
        open_calls.leave(client)


async def read_messages(wire: AsyncIterator[bytes], parse: Parse, check: Check) -> AsyncGenerator[Any]:
    """The messages of a call; DEADLINE when the client is silent for too long, INVALID_INPUT for what is no message.

    `check` may refuse a message with a ChorusError.
    """
    seconds = _FIRST_SECONDS
    while True:
        try:
            async with asyncio.timeout(seconds):
                content = await anext(wire, None)
        except TimeoutError:
            raise ChorusError(ErrorKind.DEADLINE, "client-silent", seconds=seconds) from None
        if content is None:
            return
        seconds = _SILENCE_SECONDS
        yield _message(content, parse, check)


async def only(messages: AsyncIterator[Any]) -> Any:
    """The message of a call that has one; INVALID_INPUT when the client ends without it."""
    message = await anext(messages, None)
    if message is None:
        raise ChorusError(ErrorKind.INVALID_INPUT, "message-missing")
    return message


async def until(
    event: asyncio.Event, items: AsyncIterator[Item], refusal: Callable[[], ChorusError]
) -> AsyncGenerator[Item]:
    """The items; the refusal at once when the event is set."""
    end = asyncio.ensure_future(event.wait())
    coming: asyncio.Future[Any] | None = None
    try:
        while True:
            coming = asyncio.ensure_future(anext(items, _END))
            await asyncio.wait({coming, end}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                raise refusal()
            item = coming.result()
            if item is _END:
                return
            yield item
    finally:
        end.cancel()
        if coming is not None and not coming.done():
            coming.cancel()
            await asyncio.wait({coming})
        if isinstance(items, AsyncGenerator):
            await items.aclose()


def _message(content: bytes, parse: Parse, check: Check) -> Any:
    if parse is None:
        return content
    try:
        message = parse(content)
    except DecodeError:
        raise ChorusError(ErrorKind.INVALID_INPUT, "message-unreadable") from None
    check(message)
    return message
