"""Lets nobody without the token through the gRPC door of a locked installation; health stays open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

import grpc

from services.errors import ChorusError, ErrorKind
from services.gateway.access.gate import Gate

_OPEN: Final = "/grpc.health."


class TokenInterceptor(grpc.ServerInterceptor):
    """Looks for `authorization: Bearer <token>` in the metadata of each call."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of the call, or one that refuses."""
        shown = dict(handler_call_details.invocation_metadata).get("authorization", "")
        if handler_call_details.method.startswith(_OPEN) or self._gate.caller(str(shown), "", "") is not None:
            return continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(_refuse)


def _refuse(_request: Any, _context: grpc.ServicerContext) -> NoReturn:
    raise ChorusError(ErrorKind.UNAUTHENTICATED, "token-needed")
