"""Lets nobody without the token or a session through the gRPC door of a locked installation; health stays open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import unquote

import grpc

from services.acting import Role, act_as
from services.errors import ChorusError, ErrorKind
from services.gateway.access.caller import Caller
from services.gateway.access.gate import Gate
from services.gateway.access.lasting import session_ended
from services.gateway.access.sessions import ending_task
from services.grpc_requests import until
from services.grpc_server import Context, Handler

_OPEN: Final = "/grpc.health."
# Who logs in has nothing to show yet.
LOG_IN: Final = "LogIn"
DOOR: Final = "grpc"
"""As the audit log calls this one"""


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Looks for `authorization: Bearer <token>` in the metadata of each call, before any message is waited for.

    What the call does it does for whoever that is, and it ends with their session.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of the call, or one that refuses."""
        handler = await continuation(handler_call_details)
        if handler_call_details.method.startswith(_OPEN) or handler is None:
            return handler
        if handler_call_details.method.rpartition("/")[2] == LOG_IN:
            return self._for(Caller(role=Role.VIEWER, is_stranger=True), handler)
        shown = dict(handler_call_details.invocation_metadata).get("authorization", "")
        try:
            caller = await self._gate.caller(str(shown), "", "")
        except ChorusError as error:
            return _refusing(error)
        if caller is None:
            return _refusing(ChorusError(ErrorKind.UNAUTHENTICATED, "token-needed"))
        return self._for(caller, handler)

    def _for(self, caller: Caller, handler: Handler) -> grpc.RpcMethodHandler[Any, Any]:
        """The same handler, which acts for the caller. It is called in the task of its call, all of which is theirs."""

        def acting(behaviour: Any, *, streams: bool) -> Any:
            def call(requests: Any, context: Context) -> Any:
                act_as(self._gate.actor(caller, address_of(context.peer()), DOOR))
                if not caller.session:
                    return behaviour(requests, context)
                ending = self._ending_stream if streams else self._ending_answer
                return ending(behaviour, caller.session, requests, context)

            return call

        if handler.request_streaming and handler.response_streaming:
            make, behaviour = grpc.stream_stream_rpc_method_handler, acting(handler.stream_stream, streams=True)
        elif handler.request_streaming:
            make, behaviour = grpc.stream_unary_rpc_method_handler, acting(handler.stream_unary, streams=False)
        elif handler.response_streaming:
            make, behaviour = grpc.unary_stream_rpc_method_handler, acting(handler.unary_stream, streams=True)
        else:
            make, behaviour = grpc.unary_unary_rpc_method_handler, acting(handler.unary_unary, streams=False)
        made: grpc.RpcMethodHandler[Any, Any] = make(
            behaviour, handler.request_deserializer, handler.response_serializer
        )
        return made

    async def _ending_stream(self, behaviour: Any, session: str, requests: Any, context: Context) -> AsyncIterator[Any]:
        ended = asyncio.Event()
        with self._gate.sessions.ending_with(session, ending_task(asyncio.get_running_loop(), ended.set)):
            async with aclosing(until(ended, behaviour(requests, context), session_ended)) as items:
                async for item in items:
                    yield item

    async def _ending_answer(self, behaviour: Any, session: str, requests: Any, context: Context) -> Any:
        """A call with one answer; of one that sends for long no further message is taken."""
        if not isinstance(requests, AsyncIterator):
            return await behaviour(requests, context)
        ended = asyncio.Event()
        with self._gate.sessions.ending_with(session, ending_task(asyncio.get_running_loop(), ended.set)):
            async with aclosing(until(ended, requests, session_ended)) as items:
                return await behaviour(items, context)


def address_of(peer: str) -> str:
    """The address in what gRPC calls a peer: ipv4:127.0.0.1:5000, ipv6:%5B::1%5D:5000."""
    family, _, place = unquote(peer).partition(":")
    return place.rpartition(":")[0].strip("[]") if family in ("ipv4", "ipv6") else ""


def _refusing(error: ChorusError) -> grpc.RpcMethodHandler[Any, Any]:
    async def refuse(_requests: Any, _context: Context) -> AsyncIterator[Any]:
        raise error
        yield

    # Streaming, whatever the call is: only then is the handler called before a message has come.
    return grpc.stream_stream_rpc_method_handler(refuse)
