"""gRPC's health protocol: serving, until the process stops or hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_Response: Final = health_pb2.HealthCheckResponse
_Context = grpc.aio.ServicerContext[Any, Any]


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the base has no types
    """Answers for the server itself ("") and for `services` (full proto names).

    Not grpcio-health-checking's own: there a watcher that leaves takes the condition of the others with it, so that
    they hear of no stop, and an open Watch holds a stop for its whole grace. Build it on the event loop.
    """

    def __init__(self, services: Iterable[str], is_hung: Callable[[], object] = lambda: False) -> None:
        """While `is_hung`, Check says NOT_SERVING, so that a kubelet restarts the process; a Watch hears of no hang."""
        self._services = frozenset(("", *services))
        self._is_hung = is_hung
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """From now on NOT_SERVING: every watcher hears it, and its call ends."""
        self._stopping.set()

    async def Check(  # noqa: N802 - the proto's name
        self, request: health_pb2.HealthCheckRequest, context: _Context
    ) -> health_pb2.HealthCheckResponse:
        """The state at once; NOT_FOUND for a service that is not ours."""
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} is served here")
        if self._is_hung():
            return _Response(status=_Response.NOT_SERVING)
        return self._state(request.service)

    async def Watch(  # noqa: N802 - the proto's name
        self, request: health_pb2.HealthCheckRequest, context: _Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The state, and once more when the process stops."""
        before = self._state(request.service)
        yield before
        await self._stopping.wait()
        after = self._state(request.service)
        if after != before:
            yield after

    def _state(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._services:
            return _Response(status=_Response.SERVICE_UNKNOWN)
        return _Response(status=_Response.NOT_SERVING if self._stopping.is_set() else _Response.SERVING)
