"""Free TCP ports of this machine."""

from __future__ import annotations

import random
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket

from services.errors import ChorusError, ErrorKind

# Below the range from which Linux takes the ports of outgoing connections: what is free stays free until it is used.
_RANGE = range(20000, 32000)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """True when a server could listen on `port` now."""
    with socket(AF_INET, SOCK_STREAM) as probe:
        probe.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(wanted: int = 0) -> int:
    """`wanted` when it is free, else any free port."""
    if wanted and is_free(wanted):
        return wanted
    for port in random.sample(_RANGE, 200):
        if is_free(port):
            return port
    raise ChorusError(ErrorKind.UNAVAILABLE, "no-free-port")
