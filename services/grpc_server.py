"""What all our gRPC doors share: they run on an event loop, where a watcher costs a coroutine and no thread."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.grpc_client import MESSAGE_LIMIT
from services.grpc_errors import status_of
from services.grpc_health import Health
from services.tls.identity import ServerTls

_log = logging.getLogger(__name__)

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
    # Below what grpc_client.py sends.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 2000),
)
# Health and reflection answer by themselves, and write where ours give.
_GRPCS_OWN: Final = "/grpc."
# Above it, a call is told to come again: thousands of watchers are meant to be here.
_MOST_CALLS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Server:
    """A server and its answers about its health; servicers are added to `core`."""

    core: grpc.aio.Server
    health: Health

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
        """Tell every watcher of the health, take no new call, and let running ones end within the grace."""
        self.health.stop()
        await self.core.stop(grace_seconds)


async def build_server(
    services: Sequence[str] = (),
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    is_hung: Callable[[], object] = lambda: False,
) -> Server:
    """A server that turns errors into statuses and answers health and reflection for `services` (full proto names).

    `interceptors` stand inside the translation of errors: they may raise ChorusError in a handler. The handlers that
    are added to it are coroutines. `is_hung` is for Health. It awaits nothing, and is one itself because it must run on
    the server's event loop.
    """
    core = grpc.aio.server(
        interceptors=[ErrorInterceptor(), *interceptors],
        options=_SERVER_OPTIONS,
        maximum_concurrent_rpcs=_MOST_CALLS,
    )
    server = Server(core, Health(services, is_hung))
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
    """ChorusError -> its status and message; anything else -> INTERNAL with nothing of the inside, logged here."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The call's handler, guarded."""
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_GRPCS_OWN):
            return handler
        name = ("stream" if handler.request_streaming else "unary") + (
            "_stream" if handler.response_streaming else "_unary"
        )
        behaviour = getattr(handler, name)
        guard = _guard_stream if handler.response_streaming else _guard_unary
        origin = str(dict(handler_call_details.invocation_metadata or ()).get("traceparent", ""))
        guarded = guard(behaviour, handler_call_details.method, origin)
        made: grpc.RpcMethodHandler[Any, Any] = getattr(grpc, f"{name}_rpc_method_handler")(
            guarded, handler.request_deserializer, handler.response_serializer
        )
        return made


Context = grpc.aio.ServicerContext[Any, Any]


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
        error = ChorusError(ErrorKind.INTERNAL, "service-failed")
    telemetry.refused("grpc", error.kind, error.code)
    telemetry.current_span().fail(error.code)
    code, details, trailer = status_of(error)
    await context.abort(code, details, trailer)
