"""Counts every HTTP request, the page's included, and how long it took until its answer began."""

from __future__ import annotations

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import telemetry

# As nginx counts a client that went away before it was answered.
_CLIENT_GONE: Final = 499
_FAILED: Final = 500


class Measured:
    """ASGI middleware; a route is named by its path as the router knows it, so that no id becomes a label."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it when it has been answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, answered, code = time.perf_counter(), None, _CLIENT_GONE

        async def send_measured(message: Message) -> None:
            nonlocal answered, code
            if message["type"] == "http.response.start":
                answered, code = time.perf_counter(), message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_measured)
        except Exception:
            code = code if answered is not None else _FAILED
            raise
        finally:
            seconds = (answered or time.perf_counter()) - started
            telemetry.http_answered(scope["method"], _route(scope), code, seconds)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", None) or "(none)"
