"""Runs a gRPC server of ours beside a test: on an event loop of its own, in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

from services.grpc_server import build_server, start
from services.preprocess.library import FaceLibrary
from services.preprocess.probing import ProbePool
from services.preprocess.rpc import SERVICE_NAME, PreprocessServicer
from services.preprocess.v1.preprocess_pb2_grpc import add_PreprocessServiceServicer_to_server
from services.storage import Storage

_SECONDS = 30.0


@contextmanager
def running_server(build: Callable[[], Awaitable[grpc.aio.Server]]) -> Iterator[int]:
    """The port of the server that `build` makes, which runs until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="rpc-loop")
    thread.start()

    async def begin() -> tuple[grpc.aio.Server, int]:
        server = await build()
        return server, await start(server, "127.0.0.1:0")

    try:
        server, port = asyncio.run_coroutine_threadsafe(begin(), loop).result(_SECONDS)
        yield port
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(_SECONDS)
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result(_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_SECONDS)
        loop.close()


@contextmanager
def running_preprocess(library: FaceLibrary, storage: Storage, probes: ProbePool) -> Iterator[str]:
    """The address of a preprocess in this process."""
    with ThreadPoolExecutor(8) as threads:

        async def build() -> grpc.aio.Server:
            server = await build_server([SERVICE_NAME])
            servicer = PreprocessServicer(library, storage, probes, threads)
            add_PreprocessServiceServicer_to_server(servicer, server)
            return server

        with running_server(build) as port:
            yield f"127.0.0.1:{port}"
