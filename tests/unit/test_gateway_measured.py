"""Requests are counted by route and code, also those that end without an answer."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.rest.measured import Measured
from tests.measures import metric


class Route:
    """As the router leaves it in the scope."""

    path = "/things/{thing_id}"


async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
    scope["route"] = Route()
    await send({"type": "http.response.start", "status": 201, "headers": []})


async def leave(scope: Scope, _receive: Receive, _send: Send) -> None:
    scope["route"] = Route()


async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ZeroDivisionError


def request(app: ASGIApp) -> None:
    """One request to an app behind the middleware."""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None:
        """Nobody listens."""

    asyncio.run(Measured(app)({"type": "http", "method": "POST", "path": "/things/7", "headers": []}, receive, send))


def counted(route: str, code: str) -> float:
    """How often that was the end."""
    return metric("chorus_http_requests_total", method="POST", route=route, code=code)


def test_an_answer_is_counted_under_its_route_and_not_its_path() -> None:
    before = counted("/things/{thing_id}", "201")
    request(answer)
    assert counted("/things/{thing_id}", "201") == before + 1
    assert counted("/things/7", "201") == 0


def test_a_client_that_left_is_no_fault_of_ours() -> None:
    request(leave)
    assert counted("/things/{thing_id}", "499") == 1


def test_an_unforeseen_error_is() -> None:
    with pytest.raises(ZeroDivisionError):
        request(fail)
    assert counted("(none)", "500") == 1
