"""A real gRPC server with our interceptor, health and reflection, and what its clients get to see."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.errors import ERROR_TABLE, ChorusError, ErrorKind
from services.grpc_client import open_channel
from services.grpc_errors import translate_call_errors
from services.grpc_server import Context, Server, build_server
from services.local.ports import free_port
from services.messages.catalogue import Value
from tests.measures import metric
from tests.rpc_loop import running_server

NAME = "chorus.test.v1.EchoService"


_VALUES: dict[str, Value] = {"name": "Ünsinn 安娜.mp4", "width": 9000, "height": 0.5, "least": 16, "limit": 8192}


def _refuse(request: bytes) -> bytes:
    text = request.decode()
    if text == "crash":
        raise ZeroDivisionError("a secret of the inside")
    if text == "abort":
        raise AssertionError("replaced by the servicer's own abort")
    if text == "newer":
        raise ChorusError(ErrorKind.NO_FACE, "of-a-newer-version", name="a.mp4")
    if text == "long":
        raise ChorusError(ErrorKind.INTERNAL, "model-failed", model="安娜" * 9999, reason="é" * 9999)
    if text:
        raise ChorusError(ErrorKind(text), "picture-size", **_VALUES)
    return b"fine"


async def _unary(request: bytes, context: Context) -> bytes:
    if request == b"abort":
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "its own words")
    return _refuse(request)


async def _stream(request: bytes, _: Context) -> AsyncIterator[bytes]:
    yield b"first"
    yield _refuse(request)


async def _stream_unary(requests: AsyncIterator[bytes], _: Context) -> bytes:
    return _refuse(b"".join([each async for each in requests]))


async def _stream_stream(requests: AsyncIterator[bytes], _: Context) -> AsyncIterator[bytes]:
    async for request in requests:
        yield _refuse(request)


async def _build() -> Server:
    server = await build_server([NAME])
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Unary": grpc.unary_unary_rpc_method_handler(_unary),
        "Stream": grpc.unary_stream_rpc_method_handler(_stream),
        "StreamUnary": grpc.stream_unary_rpc_method_handler(_stream_unary),
        "StreamStream": grpc.stream_stream_rpc_method_handler(_stream_stream),
    }
    server.core.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
    return server


@pytest.fixture(scope="module")
def channel() -> Iterator[grpc.Channel]:
    with running_server(_build) as port, open_channel(f"127.0.0.1:{port}") as opened:
        yield opened


def _calls(channel: Any) -> dict[str, Callable[[bytes], list[bytes]]]:
    return {
        "unary": lambda request: [channel.unary_unary(f"/{NAME}/Unary")(request, timeout=5)],
        "stream": lambda request: list(channel.unary_stream(f"/{NAME}/Stream")(request, timeout=5)),
        "stream_unary": lambda request: [channel.stream_unary(f"/{NAME}/StreamUnary")(iter([request]), timeout=5)],
        "stream_stream": lambda request: list(
            channel.stream_stream(f"/{NAME}/StreamStream")(iter([request]), timeout=5)
        ),
    }


@pytest.mark.parametrize("shape", ["unary", "stream", "stream_unary", "stream_stream"])
def test_every_kind_travels_through_every_call_shape(channel: grpc.Channel, shape: str) -> None:
    call = _calls(channel)[shape]
    assert call(b"")[-1] == b"fine"
    for kind in ErrorKind:
        with pytest.raises(grpc.RpcError) as raw:
            call(kind.value.encode())
        assert raw.value.code() is ERROR_TABLE[kind].grpc
        with pytest.raises(ChorusError) as error, translate_call_errors("echo"):
            call(kind.value.encode())
        assert error.value == ChorusError(kind, "picture-size", **_VALUES)
        assert raw.value.details() == error.value.message


def test_calls_are_counted_by_their_status(channel: grpc.Channel) -> None:
    before = [count(f"/{NAME}/Stream", code) for code in ("OK", "NOT_FOUND")]
    assert list(_calls(channel)["stream"](b""))[-1] == b"fine"
    with pytest.raises(grpc.RpcError):
        _calls(channel)["stream"](ErrorKind.NOT_FOUND.value.encode())
    assert [count(f"/{NAME}/Stream", code) for code in ("OK", "NOT_FOUND")] == [each + 1 for each in before]


def count(method: str, code: str) -> float:
    """How many calls of a method have ended with a status."""
    return metric("chorus_grpc_requests_total", code=code, method=method)


def test_long_values_are_cut_to_what_a_status_can_carry(channel: grpc.Channel) -> None:
    with pytest.raises(ChorusError) as error, translate_call_errors("echo"):
        _calls(channel)["unary"](b"long")
    assert (error.value.kind, error.value.code) == (ErrorKind.INTERNAL, "model-failed")
    assert str(error.value.values["model"]).startswith("安娜安娜")
    assert 200 < len(error.value.message) < 1000


def test_words_of_another_version_come_through(channel: grpc.Channel) -> None:
    with pytest.raises(ChorusError) as error, translate_call_errors("echo"):
        _calls(channel)["unary"](b"newer")
    assert error.value == ChorusError(ErrorKind.NO_FACE, "as-told", text="of-a-newer-version name=a.mp4")


@pytest.mark.parametrize("shape", ["unary", "stream"])
def test_an_unexpected_error_says_nothing_of_the_inside(channel: grpc.Channel, shape: str) -> None:
    with pytest.raises(ChorusError) as error, translate_call_errors("echo"):
        _calls(channel)[shape](b"crash")
    assert error.value.kind is ErrorKind.INTERNAL
    assert "secret" not in error.value.message


def test_a_servicer_may_abort_by_itself(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        _calls(channel)["unary"](b"abort")
    assert (error.value.code(), error.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "its own words")


def test_a_service_that_is_gone_is_unavailable() -> None:
    with (
        open_channel(f"127.0.0.1:{free_port()}") as nobody,
        pytest.raises(ChorusError, match="echo does not answer") as error,
        translate_call_errors("echo"),
    ):
        _calls(nobody)["unary"](b"")
    assert error.value.kind is ErrorKind.UNAVAILABLE


def test_health_and_reflection_know_the_service(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", NAME):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([ask]), timeout=5)
    names = {service.name for service in next(iter(answers)).list_services_response.service}
    assert {NAME, "grpc.health.v1.Health"} <= names


def test_a_taken_address_is_told() -> None:
    async def begin_twice() -> None:
        first, second = await build_server(), await build_server()
        port = await first.start("127.0.0.1:0")
        with pytest.raises(ChorusError, match=f"127.0.0.1:{port}") as error:
            await second.start(f"127.0.0.1:{port}")
        assert error.value.kind is ErrorKind.UNAVAILABLE
        await first.stop(0)

    asyncio.run(begin_twice())


def test_a_stop_is_told_to_every_watcher_of_the_health_and_waits_for_none() -> None:
    async def watch() -> None:
        server = await build_server([NAME])
        async with grpc.aio.insecure_channel(f"127.0.0.1:{await server.start('127.0.0.1:0')}") as opened:
            health, states = health_pb2_grpc.HealthStub(opened), health_pb2.HealthCheckResponse
            calls = [health.Watch(health_pb2.HealthCheckRequest(service=name)) for name in ("", NAME, NAME, "other")]
            answers = [aiter(call) for call in calls]
            first = [(await anext(each)).status for each in answers]
            assert first == [states.SERVING] * 3 + [states.SERVICE_UNKNOWN]
            calls[1].cancel()  # one that leaves takes no other with it
            del answers[1]
            await asyncio.sleep(0.1)
            begun = time.monotonic()
            stopping = asyncio.create_task(server.stop(20))
            rest = [[answer.status async for answer in each] for each in answers]
            assert rest == [[states.NOT_SERVING]] * 2 + [[]]
            await stopping
            assert time.monotonic() - begun < 10

    asyncio.run(watch())


def test_a_stop_ends_streams_at_once_and_waits_for_those_that_may_finish() -> None:
    ended = threading.Event()

    async def watch(_request: bytes, _context: Context) -> AsyncIterator[bytes]:
        yield b"now"
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def download(_request: bytes, _context: Context) -> AsyncIterator[bytes]:
        for piece in (b"a", b"b", b"c"):
            yield piece
            await asyncio.sleep(0.5)

    async def run() -> tuple[Server, int]:
        server = await build_server([NAME], finishing={"Download"})
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Watch": grpc.unary_stream_rpc_method_handler(watch),
            "Download": grpc.unary_stream_rpc_method_handler(download),
        }
        server.core.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
        return server, await server.start("127.0.0.1:0")

    async def scenario() -> tuple[grpc.StatusCode, bytes, float]:
        server, port = await run()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            calls: Any = channel
            watching, loading = (calls.unary_stream(f"/{NAME}/{name}")(b"") for name in ("Watch", "Download"))
            assert (await watching.read(), await loading.read()) == (b"now", b"a")
            begun = time.monotonic()
            stopping = asyncio.create_task(server.stop(20))
            code = await watching.code()
            took = time.monotonic() - begun
            rest = await loading.read() + await loading.read()
            await stopping
            return code, rest, took

    code, rest, took = asyncio.run(scenario())
    assert (code, rest) == (grpc.StatusCode.UNAVAILABLE, b"bc")
    assert took < 2
    assert ended.is_set()


def test_an_unknown_service_has_no_health(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="other"), timeout=5)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_sigterm_ends_serve_within_seconds() -> None:
    port = free_port()
    program = (
        "import asyncio\nfrom services.grpc_server import build_server, serve\n"
        f"async def main():\n    await serve(await build_server(), '127.0.0.1:{port}')\n"
        "asyncio.run(main())"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        with open_channel(f"127.0.0.1:{port}") as opened:
            grpc.channel_ready_future(opened).result(timeout=20)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        assert time.monotonic() - begun < 8
    finally:
        process.kill()
        process.wait()
