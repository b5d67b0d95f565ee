"""Requests that last: when their session ends, they end, be it a page's socket, a stream of events or a file."""

from __future__ import annotations

import asyncio
from typing import Final

from anyio import CancelScope
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.errors import ChorusError, ErrorKind
from services.gateway.access.refusal import refuse
from services.gateway.access.sessions import Sessions, ending_task

# RFC 6455: the policy does not allow it
_CLOSE_CODE: Final = 1008


def session_ended() -> ChorusError:
    """The refusal of what was under way for somebody who is logged in no more."""
    return ChorusError(ErrorKind.UNAUTHENTICATED, "session-ended")


async def serve_while_logged_in(
    app: ASGIApp, sessions: Sessions, session: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """The application's answer, broken off when the session of that id ends."""
    if scope["type"] == "websocket":
        await _serve_socket(app, sessions, session, scope, receive, send)
    else:
        await _serve_request(app, sessions, session, scope, receive, send)


async def _serve_socket(
    app: ASGIApp, sessions: Sessions, session: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """As if the browser had gone away: the application tidies up as it always does, and the browser is told."""
    ended, closed = asyncio.Event(), False

    async def receive_while() -> Message:
        nonlocal closed
        coming, end = asyncio.ensure_future(receive()), asyncio.ensure_future(ended.wait())
        try:
            await asyncio.wait({coming, end}, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                return coming.result()
        finally:
            end.cancel()
            if not coming.done():
                coming.cancel()
        if not closed:
            closed = True
            await send({"type": "websocket.close", "code": _CLOSE_CODE})
        return {"type": "websocket.disconnect", "code": _CLOSE_CODE}

    async def send_while(message: Message) -> None:
        if not ended.is_set():
            await send(message)

    with sessions.ending_with(session, ending_task(asyncio.get_running_loop(), ended.set)):
        await app(scope, receive_while, send_while)


async def _serve_request(
    app: ASGIApp, sessions: Sessions, session: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """A request that is not answered yet is refused; of an answer under way no more comes."""
    begun = counted = complete = False

    async def send_noting(message: Message) -> None:
        nonlocal begun, counted, complete
        if message["type"] == "http.response.start":
            begun = True
            counted = any(name.lower() == b"content-length" for name, _ in message["headers"])
        await send(message)
        complete = message["type"] == "http.response.body" and not message.get("more_body", False)

    call = CancelScope()
    with sessions.ending_with(session, ending_task(asyncio.get_running_loop(), call.cancel)), call:
        await app(scope, receive, send_noting)
    if not call.cancelled_caught or complete:
        return
    if not begun:
        await refuse(session_ended(), Request(scope), headers={"Connection": "close"})(scope, receive, send)
    elif not counted:
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    # Of an answer whose length was told the server closes the connection: the client sees that bytes are missing.
