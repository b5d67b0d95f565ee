"""What all our gRPC doors share: errors to statuses and back, health, reflection, limits, graceful stop."""

from __future__ import annotations

import json
import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.errors import ERROR_TABLE, ChorusError, ErrorKind, error_from_json, error_to_json

_log = logging.getLogger(__name__)

MESSAGE_LIMIT: Final = 64 << 20
CHANNEL_OPTIONS: Final[Sequence[tuple[str, Any]]] = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    # Services find each other by address; a company's web proxy must not get between them.
    ("grpc.enable_http_proxy", 0),
    # A service that was restarted is found again within 2 s, not within gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
)
_SERVER_OPTIONS: Final = (*CHANNEL_OPTIONS[:2], ("grpc.so_reuseport", 0))
# In bytes. gRPC takes 8 KiB of metadata for sure, and needs three bytes of it for each byte of a Chinese detail.
_DETAIL_LIMIT: Final = 1200
_TRAILER_LIMIT: Final = 2000
_VALUE_LIMITS: Final = (1000, 300, 100)
# Only a service of ours sends it: only then is the detail text meant for a person.
_ERROR_KEY: Final = "chorus-error-bin"


def build_server(
    max_workers: int, services: Sequence[str] = (), interceptors: Sequence[grpc.ServerInterceptor] = ()
) -> grpc.Server:
    """A server that turns errors into statuses and answers health and reflection for `services` (full proto names).

    `interceptors` stand inside the translation of errors: they may raise ChorusError in a handler.
    """
    server = grpc.server(
        ThreadPoolExecutor(max_workers, thread_name_prefix="grpc"),
        interceptors=[_ErrorInterceptor(), *interceptors],
        options=_SERVER_OPTIONS,
    )
    servicer = health.HealthServicer()
    for name in ("", *services):
        servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return server


def start(server: grpc.Server, listen: str) -> int:
    """Start listening on host:port and return the port; UNAVAILABLE when the address is taken."""
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError:
        port = 0
    if port == 0:
        raise ChorusError(ErrorKind.UNAVAILABLE, "cannot-listen", address=listen)
    server.start()
    return port


def serve(server: grpc.Server, listen: str, *, grace_seconds: float = 5.0) -> None:
    """Serve until SIGTERM or SIGINT, then let running calls end within `grace_seconds`. Call it in the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    port = start(server, listen)
    _log.info("listening on %s (port %d)", listen, port)
    stop.wait()
    server.stop(grace_seconds).wait(grace_seconds + 1)


def open_channel(address: str) -> grpc.Channel:
    """A channel to a service at host:port, with our message limit and a quick reconnect."""
    return grpc.insecure_channel(address, options=CHANNEL_OPTIONS)


@contextmanager
def translate_call_errors(service: str) -> Iterator[None]:
    """Turn every grpc.RpcError of the block into a ChorusError; `service` is what a person calls the other side."""
    try:
        yield
    except grpc.RpcError as error:
        raise _call_error(error, service) from error


def _call_error(error: grpc.RpcError, service: str) -> ChorusError:
    status, detail = error.code(), error.details() or ""
    if (told := _read_trailer(error.trailing_metadata() or (), detail)) is not None:
        return told
    if status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return ChorusError(ErrorKind.UNAVAILABLE, "service-unreachable", service=service, reason=detail)
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ChorusError(ErrorKind.DEADLINE, "service-too-slow", service=service)
    return ChorusError(ErrorKind.INTERNAL, "call-failed", service=service, reason=detail, status=status.name)


class _ErrorInterceptor(grpc.ServerInterceptor):
    """ChorusError -> its status and message; anything else -> INTERNAL with nothing of the inside, logged here."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        name = ("stream" if handler.request_streaming else "unary") + (
            "_stream" if handler.response_streaming else "_unary"
        )
        behaviour = getattr(handler, name)
        guarded = _guard_stream(behaviour) if handler.response_streaming else _guard_unary(behaviour)
        made: grpc.RpcMethodHandler[Any, Any] = getattr(grpc, f"{name}_rpc_method_handler")(
            guarded, handler.request_deserializer, handler.response_serializer
        )
        return made


def _guard_unary(behaviour: Callable[[Any, grpc.ServicerContext], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return behaviour(request, context)
        except Exception as error:
            _abort(error, context)

    return call


def _guard_stream(
    behaviour: Callable[[Any, grpc.ServicerContext], Iterator[Any]],
) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
    def call(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            yield from behaviour(request, context)
        except Exception as error:
            _abort(error, context)

    return call


def _abort(error: Exception, context: grpc.ServicerContext) -> NoReturn:
    if context.code() is not None:  # type: ignore[attr-defined]  # the servicer has aborted by itself
        raise error
    if not isinstance(error, ChorusError):
        if context.is_active():
            _log.error("a call failed unexpectedly", exc_info=error)
        error = ChorusError(ErrorKind.INTERNAL, "service-failed")
    context.set_trailing_metadata(((_ERROR_KEY, _write_trailer(error)),))
    context.abort(ERROR_TABLE[error.kind].grpc, _cut(error.message, _DETAIL_LIMIT))


def _write_trailer(error: ChorusError) -> bytes:
    """The error as JSON of at most _TRAILER_LIMIT bytes: long values are cut, most often the words of another program.

    The message is left out: it travels as the status's details.
    """
    document = error_to_json(error)
    del document["message"]
    for limit in _VALUE_LIMITS:
        document["values"] = {
            name: _cut(value, limit) if isinstance(value, str) else value for name, value in error.values.items()
        }
        content = json.dumps(document, ensure_ascii=False).encode()
        if len(content) <= _TRAILER_LIMIT:
            break
    return content


def _read_trailer(trailer: Iterable[Any], detail: str) -> ChorusError | None:
    """The error that a service of ours gave on purpose; None when the status comes from gRPC itself."""
    content = dict(trailer).get(_ERROR_KEY)
    if content is None:
        return None
    with suppress(ValueError, KeyError, TypeError):
        return error_from_json({**json.loads(content), "message": detail})
    return None


def _cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8."""
    content = text.encode()
    return text if len(content) <= limit else content[: limit - 3].decode(errors="ignore") + "…"
