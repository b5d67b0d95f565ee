"""What all our gRPC doors share: they run on an event loop, where a watcher costs a coroutine and no thread."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services import telemetry
from services.crowd import Crowd
from services.descriptors import descriptor_limit
from services.errors import ChorusError, ErrorKind, unforeseen
from services.grpc_client import MESSAGE_LIMIT
from services.grpc_errors import status_of
from services.grpc_health import Health
from services.grpc_requests import Check, call_counted, only, read_messages, until
from services.tls.identity import ServerTls

_log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
# Any: its four behaviours are typed as those of gRPC's threads.
Handler = Any

_SERVER_OPTIONS: Final = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.so_reuseport", 0),
    # A client looks its name up again only when a connection ends: so new replicas get their share within seconds.
    # Calls under way stay on the old connection, however long they take; what ends them is said below and by the calls.
    ("grpc.max_connection_age_ms", 10_000),
    # A client that vanished gives back what it holds.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    # Who connects and says nothing is hung up on; who opens stream after stream gets no further ones.
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.max_concurrent_streams", 1_000),
    # Below what grpc_client.py sends.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 2000),
)
# Health and reflection: not counted, and no token is asked for health.
_GRPCS_OWN: Final = "/grpc."
# Above them, a call is told to come again: thousands of watchers are meant to be here, but none keeps others out.
_MOST_CALLS: Final = 10_000
_MOST_CALLS_OF_ONE: Final = 5_000
_MOST_OPEN_CALLS: Final = 1_000
_MOST_OPEN_CALLS_OF_ONE: Final = 250


@dataclass(frozen=True, slots=True)
class Server:
    """A server and its answers about its health; servicers are added to `core`."""

    core: grpc.aio.Server
    health: Health
    draining: asyncio.Event

    async def start(self, listen: str, tls: ServerTls | None = None) -> int:
        """Start listening on host:port, without `tls` in the clear, and return the port.

        UNAVAILABLE when the address is taken, INVALID_INPUT when a file of `tls` cannot be used.
        """
        credentials = None if tls is None else tls.grpc_credentials()
        try:
            if credentials is None:
                port = self.core.add_insecure_port(listen)
            else:
                port = self.core.add_secure_port(listen, credentials)
        except RuntimeError:
            port = 0
        if port == 0:
            raise ChorusError(ErrorKind.UNAVAILABLE, "cannot-listen", address=listen)
        await self.core.start()
        return port

    async def stop(self, grace_seconds: float) -> None:
        """Tell every watcher, take no new call, and let running ones end within the grace.

        Streams end at once with UNAVAILABLE, unless build_server was told to let them finish.
        """
        self.health.stop()
        self.draining.set()
        await self.core.stop(grace_seconds)


async def build_server(
    services: Sequence[str] = (),
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    is_hung: Callable[[], object] = lambda: False,
    *,
    check: Check = lambda _: None,
    finishing: Container[str] = (),
    open_to_all: Container[str] = (),
) -> Server:
    """A server that turns errors into statuses and answers health and reflection for `services` (full proto names).

    `interceptors` stand inside the translation of errors: they may raise ChorusError in a handler. The handlers that
    are added to it are coroutines. `is_hung` is for Health. `check` may refuse each message that comes in. `finishing`:
    names of methods whose streams a stop waits for. `open_to_all`: names of those that nobody has to log in for, of
    which there may be as few as of health's. It awaits nothing, and is one itself because it must run on the
    server's event loop.
    """
    draining = asyncio.Event()
    core = grpc.aio.server(
        interceptors=[ErrorInterceptor(check, draining, finishing, open_to_all), *interceptors],
        options=[*_SERVER_OPTIONS, ("grpc.max_allowed_incoming_connections", descriptor_limit() // 2)],
        maximum_concurrent_rpcs=_MOST_CALLS,
    )
    server = Server(core, Health(services, is_hung), draining)
    health_pb2_grpc.add_HealthServicer_to_server(server.health, core)
    reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), core)
    return server


async def serve(server: Server, listen: str, tls: ServerTls | None = None, *, grace_seconds: float = 5.0) -> None:
    """Serve until SIGTERM or SIGINT, then let running calls end within `grace_seconds`. Call it in the main thread."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    port = await server.start(listen, tls)
    _log.info("listening on %s (port %d)%s", listen, port, "" if tls is None else " with TLS")
    await stop.wait()
    await server.stop(grace_seconds)


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """ChorusError -> its status and message; anything else -> INTERNAL with nothing of the inside, logged here.

    Every call is served as one whose requests stream: only then is it ours before its message has come, and only then
    is it our word that a client hears whose message is none.
    """

    def __init__(
        self, check: Check, draining: asyncio.Event, finishing: Container[str], open_to_all: Container[str]
    ) -> None:
        self._check = check
        self._draining = draining
        self._finishing = finishing
        self._open_to_all = open_to_all
        self._calls = Crowd(_MOST_CALLS, _MOST_CALLS_OF_ONE)
        self._open_calls = Crowd(_MOST_OPEN_CALLS, _MOST_OPEN_CALLS_OF_ONE)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The call's handler, guarded."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        origin = str(dict(handler_call_details.invocation_metadata or ()).get("traceparent", ""))
        if handler.response_streaming:
            guarded = _guard_stream(self._stream_of(handler, method), method, origin)
            return grpc.stream_stream_rpc_method_handler(guarded, None, handler.response_serializer)
        answer = _guard_unary(self._answer_of(handler, method), method, origin)
        return grpc.stream_unary_rpc_method_handler(answer, None, handler.response_serializer)

    def _answer_of(self, handler: Handler, method: str) -> Callable[[Any, Context], Awaitable[Any]]:
        async def call(wire: AsyncIterator[bytes], context: Context) -> Any:
            with call_counted(self._calls_like(method), context.peer()):
                requests = read_messages(wire, handler.request_deserializer, self._check)
                if handler.request_streaming:
                    return await handler.stream_unary(requests, context)
                return await handler.unary_unary(await only(requests), context)

        return call

    def _stream_of(self, handler: Handler, method: str) -> Callable[[Any, Context], AsyncIterator[Any]]:
        is_finishing = method.startswith(_GRPCS_OWN) or method.rpartition("/")[2] in self._finishing

        async def call(wire: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
            with call_counted(self._calls_like(method), context.peer()):
                requests = read_messages(wire, handler.request_deserializer, self._check)
                if handler.request_streaming:
                    items = handler.stream_stream(requests, context)
                else:
                    items = handler.unary_stream(await only(requests), context)
                # At once, so that a watcher goes on elsewhere.
                async for item in items if is_finishing else until(self._draining, items, _stopping):
                    yield item

        return call

    def _calls_like(self, method: str) -> Crowd:
        is_open = method.startswith(_GRPCS_OWN) or method.rpartition("/")[2] in self._open_to_all
        return self._open_calls if is_open else self._calls


def _stopping() -> ChorusError:
    return ChorusError(ErrorKind.UNAVAILABLE, "service-stopping")


def _guard_unary(
    behaviour: Callable[[Any, Context], Awaitable[Any]], method: str, origin: str
) -> Callable[[Any, Context], Awaitable[Any]]:
    async def call(request: Any, context: Context) -> Any:
        started = time.perf_counter()
        with _counted(method, context, origin):
            try:
                return await behaviour(request, context)
            except Exception as error:
                await _abort(error, context)
            finally:
                if not method.startswith(_GRPCS_OWN):
                    telemetry.grpc_duration(method, time.perf_counter() - started)

    return call


def _guard_stream(
    behaviour: Callable[[Any, Context], AsyncIterator[Any]], method: str, origin: str
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    async def call(request: Any, context: Context) -> AsyncIterator[Any]:
        with _counted(method, context, origin):
            try:
                async for item in behaviour(request, context):
                    yield item
            except Exception as error:
                await _abort(error, context)

    return call


@contextmanager
def _counted(method: str, context: Context, origin: str) -> Iterator[None]:
    """Count the call by the status with which the block ends, and make it a span of the trace of `origin`."""
    if method.startswith(_GRPCS_OWN):
        yield
        return
    code = grpc.StatusCode.OK.name
    with telemetry.span(method.removeprefix("/"), {"rpc.system": "grpc"}, kind="server", traceparent=origin) as span:
        try:
            yield
        except grpc.aio.AbortError:
            code = _status_name(context)
            raise
        except BaseException:  # the client went away, or took no further item
            code = grpc.StatusCode.CANCELLED.name
            raise
        finally:
            telemetry.grpc_answered(method, code)
            span.set({"rpc.response.status_code": code})


def _status_name(context: Context) -> str:
    code = context.code()
    return next((each.name for each in grpc.StatusCode if code in (each, each.value[0])), grpc.StatusCode.UNKNOWN.name)


async def _abort(error: Exception, context: Context) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError):  # the servicer has aborted by itself
        raise error
    if not isinstance(error, ChorusError):
        _log.error("a call failed unexpectedly", exc_info=error)
        error = unforeseen(error, "service-failed")
    telemetry.refused("grpc", error.kind, error.code)
    telemetry.current_span().fail(error.code)
    code, details, trailer = status_of(error)
    await context.abort(code, details, trailer)
