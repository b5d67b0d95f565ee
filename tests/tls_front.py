"""TLS before a PostgreSQL that was built without it, spoken as a server of its own would speak it."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from tests.rpc_loop import running_beside

_TLS_WANTED = struct.pack("!ii", 8, 80877103)
_CHUNK = 64 << 10


@contextmanager
def tls_front(server_port: int, context: ssl.SSLContext) -> Iterator[int]:
    """The port on loopback where TLS is spoken for the server on `server_port`; others are hung up on."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A handshake that is refused is the client's to tell.
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(len(_TLS_WANTED)) == _TLS_WANTED:
                writer.write(b"S")
                await writer.start_tls(context)
                answers, requests = await asyncio.open_connection("127.0.0.1", server_port)
                await asyncio.gather(_pump(reader, requests), _pump(answers, writer))
        writer.close()

    @asynccontextmanager
    async def served() -> AsyncIterator[int]:
        server = await asyncio.start_server(carry, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()

    with running_beside(served()) as port:
        yield port


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await source.read(_CHUNK):
            target.write(content)
            await target.drain()
    target.close()
