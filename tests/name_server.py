"""A name server for one name, on loopback: what a headless Service is to gRPC's clients."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_IPV4 = 1


class NameServer:
    """Gives every question the same `addresses`, which may change at any time."""

    def __init__(self, opened: socket.socket, addresses: list[str]) -> None:
        """`opened` is bound to a port of loopback."""
        self.addresses = addresses
        self._socket = opened

    def target(self, name: str, port: int) -> str:
        """What a gRPC client takes to ask here; without the address of a name server it asks the machine's."""
        return f"dns://127.0.0.1:{self._socket.getsockname()[1]}/{name}:{port}"

    def serve(self) -> None:
        """Answer until the empty message of stop."""
        while True:
            query, asker = self._socket.recvfrom(512)
            if not query:
                return
            self._socket.sendto(self._answer(query), asker)

    def stop(self) -> None:
        """End serve."""
        self._socket.sendto(b"", self._socket.getsockname())

    def _answer(self, query: bytes) -> bytes:
        end = query.index(b"\0", 12) + 5
        (kind,) = struct.unpack(">H", query[end - 4 : end - 2])
        found = self.addresses if kind == _IPV4 else []
        header = query[:2] + b"\x85\x80" + struct.pack(">HHHH", 1, len(found), 0, 0)
        # Each: the name of the question, IPv4, internet, kept for 0 s, 4 bytes.
        records = [b"\xc0\x0c" + struct.pack(">HHIH", _IPV4, 1, 0, 4) + socket.inet_aton(each) for each in found]
        return header + query[12:end] + b"".join(records)


@contextmanager
def name_server(*addresses: str) -> Iterator[NameServer]:
    """A name server that runs until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        server = NameServer(opened, list(addresses))
        thread = threading.Thread(target=server.serve, name="name-server")
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(10)
