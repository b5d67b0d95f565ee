"""Counts every HTTP request, the page's included, and how long it took until its answer began; traces those of REST."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import telemetry

# As nginx counts a client that went away before it was answered.
_CLIENT_GONE: Final = 499
_FAILED: Final = 500
_REST: Final = "/v1/"
# Somebody asks every second how far a job is: what only looks is traced for who traces it himself.
_LOOKS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Measured:
    """ASGI middleware; a route is named by its path as the router knows it, so that no id becomes a label."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it when it has been answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with _traced(scope) as span:
            await self._measure(scope, receive, send, span)

    async def _measure(self, scope: Scope, receive: Receive, send: Send, span: telemetry.Span) -> None:
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
            span.rename(f"{scope['method']} {_route(scope)}")
            span.set({"http.response.status_code": code})
            if code >= _FAILED:
                span.fail(str(code))


def _traced(scope: Scope) -> AbstractContextManager[telemetry.Span]:
    """A span of the caller's trace, or the first of a new one."""
    origin = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
    if not scope["path"].startswith(_REST) or (scope["method"] in _LOOKS and not origin):
        return nullcontext(telemetry.NO_SPAN)
    about = {"http.request.method": scope["method"]}
    return telemetry.span(scope["method"], about, kind="server", traceparent=origin)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", None) or "(none)"
