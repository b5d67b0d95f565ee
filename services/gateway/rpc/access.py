"""Lets nobody without the token through the gRPC door of a locked installation; health stays open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc

from services.errors import ChorusError, ErrorKind
from services.gateway.access.gate import Gate
from services.grpc_server import Context

_OPEN: Final = "/grpc.health."


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Looks for `authorization: Bearer <token>` in the metadata of each call, before any message is waited for."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of the call, or one that refuses."""
        shown = dict(handler_call_details.invocation_metadata).get("authorization", "")
        if handler_call_details.method.startswith(_OPEN) or self._gate.caller(str(shown), "", "") is not None:
            return await continuation(handler_call_details)
        # Streaming, whatever the call is: only then is the handler called before a message has come.
        return grpc.stream_stream_rpc_method_handler(_refuse)


async def _refuse(_requests: Any, _context: Context) -> AsyncIterator[Any]:
    raise ChorusError(ErrorKind.UNAUTHENTICATED, "token-needed")
    yield
