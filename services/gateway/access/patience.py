"""How long and how large a request may be, once its head is here and the guard has let it in."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.errors import ChorusError, ErrorKind
from services.gateway.access.refusal import refuse

# Five hundred ids are some 40 kB; the page's socket sends a megabyte at most.
_BODY_BYTES: Final = 1 << 20
_BODY_SECONDS: Final = 30.0
# Of a file that is being uploaded: its size has a limit of its own, and it may take hours.
_SILENCE_SECONDS: Final = 60.0
# A player that pauses takes no bytes, and asks for the rest later.
_STALL_SECONDS: Final = 300.0
# None of their routes reads a body as a whole.
_UPLOADS: Final = ("/v1/media", "/v1/uploads", "/v1/imports")


class Patience:
    """ASGI middleware. A body that is no file is read here, so that nobody waits in a thread for its end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it for its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        patient = _patient(send)
        request = Request(scope)
        if scope["path"].startswith(_UPLOADS) and scope["method"] in ("POST", "PATCH"):
            await self._app(scope, _speaking(receive), patient)
            return
        if not {"content-length", "transfer-encoding"} & set(request.headers.keys()):
            await self._app(scope, receive, patient)
            return
        try:
            body = await _read(request, receive)
        except ChorusError as error:
            await refuse(error, request, headers={"Connection": "close"})(scope, receive, patient)
            return
        if body is not None:
            await self._app(scope, _replayed(body, receive), patient)


async def _read(request: Request, receive: Receive) -> bytes | None:
    """The whole body; None when the client has left."""
    too_large = ChorusError(ErrorKind.TOO_LARGE, "body-too-large", limit=_BODY_BYTES)
    announced = request.headers.get("content-length", "0")
    if len(announced) > len(str(_BODY_BYTES)) or int(announced) > _BODY_BYTES:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if len(body) > _BODY_BYTES:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise ChorusError(ErrorKind.DEADLINE, "client-silent", seconds=_BODY_SECONDS) from None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What was read, and then whatever else comes: the client's leaving."""
    told = False

    async def receive_replayed() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_replayed


def _speaking(receive: Receive) -> Receive:
    """The pieces of a file; DEADLINE when none comes for too long."""
    has_ended = False

    async def receive_speaking() -> Message:
        nonlocal has_ended
        if has_ended:
            return await receive()
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise ChorusError(ErrorKind.DEADLINE, "client-silent", seconds=_SILENCE_SECONDS) from None
        has_ended = not message.get("more_body", False)
        return message

    return receive_speaking


def _patient(send: Send) -> Send:
    """Gives up a client that takes nothing for too long; the server closes its connection then."""

    async def send_patiently(message: Message) -> None:
        async with asyncio.timeout(_STALL_SECONDS):
            await send(message)

    return send_patiently
