"""A process with one of our gRPC servers, which says where it listens, and streams for as long as it is let.

`python tests/answering_server.py HOST:PORT` is that process.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from services.grpc_client import open_channel
from services.grpc_server import Context, build_server, serve
from services.parent_death import dying_with_us

ROOT = Path(__file__).resolve().parents[1]
_SERVICE = "chorus.test.v1.AnswerService"
WHERE = f"/{_SERVICE}/Where"
"""The address that it listens on"""
TICKS = f"/{_SERVICE}/Ticks"
"""A byte every tenth of a second"""


@contextmanager
def answering_server(address: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process, ready; killed at the end if it still runs."""
    command = dying_with_us([sys.executable, "-m", "tests.answering_server", address], signal.SIGKILL)
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        with open_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=30)
        yield process
    finally:
        process.kill()
        process.wait(10)


async def _serve(address: str) -> None:
    async def where(request: bytes, context: Context) -> bytes:
        return address.encode()

    async def ticks(request: bytes, context: Context) -> AsyncIterator[bytes]:
        while True:
            yield b"."
            await asyncio.sleep(0.1)

    server = await build_server()
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Where": grpc.unary_unary_rpc_method_handler(where),
        "Ticks": grpc.unary_stream_rpc_method_handler(ticks),
    }
    server.core.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    await serve(server, address)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
