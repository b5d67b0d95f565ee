"""TLS before a PostgreSQL that was built without it, spoken as a server of its own would speak it."""

from __future__ import annotations

import asyncio
import ssl
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress

_TLS_WANTED = struct.pack("!ii", 8, 80877103)
_CHUNK = 64 << 10
_SECONDS = 10.0


@contextmanager
def tls_front(server_port: int, context: ssl.SSLContext) -> Iterator[int]:
    """The port on loopback where TLS is spoken for the server on `server_port`; others are hung up on."""
    listening: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A handshake that is refused is the client's to tell.
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(len(_TLS_WANTED)) == _TLS_WANTED:
                writer.write(b"S")
                await writer.start_tls(context)
                answers, requests = await asyncio.open_connection("127.0.0.1", server_port)
                await asyncio.gather(_pump(reader, requests), _pump(answers, writer))
        writer.close()

    async def serve() -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(carry, "127.0.0.1", 0)
        listening.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="tls-front")
    thread.start()
    port, loop, stop = listening.result(_SECONDS)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_SECONDS)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await source.read(_CHUNK):
            target.write(content)
            await target.drain()
    target.close()
