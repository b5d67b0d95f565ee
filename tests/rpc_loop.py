"""Runs servers beside a test, above all our gRPC ones: on an event loop of its own, in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from services.grpc_server import Server, build_server
from services.preprocess.library import FaceLibrary
from services.preprocess.probing import ProbePool
from services.preprocess.rpc import SERVICE_NAME, PreprocessServicer
from services.preprocess.v1.preprocess_pb2_grpc import add_PreprocessServiceServicer_to_server
from services.storage import Storage
from services.tls.identity import ServerTls

_SECONDS = 30.0


@contextmanager
def running_server(build: Callable[[], Awaitable[Server]], tls: ServerTls | None = None) -> Iterator[int]:
    """The port of the server that `build` makes, which runs until the block ends."""

    @asynccontextmanager
    async def served() -> AsyncIterator[int]:
        server = await build()
        yield await server.start("127.0.0.1:0", tls)
        await server.stop(0)

    with running_beside(served()) as port:
        yield port


@contextmanager
def running_beside(served: AbstractAsyncContextManager[int]) -> Iterator[int]:
    """The port that `served` gives on a loop of its own, which it is held open on until the block ends."""
    listening: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        async with served as port:
            stop = asyncio.Event()
            listening.set_result((port, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            # It ends every task and generator that is left over.
            asyncio.run(serve())
        except BaseException as error:
            if listening.done():
                raise
            listening.set_exception(error)

    thread = threading.Thread(target=run, name="rpc-loop")
    thread.start()
    port, loop, stop = listening.result(_SECONDS)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_SECONDS)


@contextmanager
def running_preprocess(library: FaceLibrary, storage: Storage, probes: ProbePool) -> Iterator[str]:
    """The address of a preprocess in this process."""
    with ThreadPoolExecutor(8) as threads:

        async def build() -> Server:
            server = await build_server([SERVICE_NAME])
            servicer = PreprocessServicer(library, storage, probes, threads)
            add_PreprocessServiceServicer_to_server(servicer, server.core)
            return server

        with running_server(build) as port:
            yield f"127.0.0.1:{port}"
