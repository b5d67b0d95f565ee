"""Whether a process of this image serves, for HEALTHCHECK: python health.py http://HOST:PORT/PATH or grpc://HOST:PORT.

The exit code is 0 when it does. Not a module of ours, because the images of Triton have none.
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

SECONDS = 3


def main(address: str) -> int:
    """The exit code; one line on stderr when it is not 0."""
    ask = _ask_grpc if urlsplit(address).scheme == "grpc" else _ask_http
    try:
        ask(address)
    # Whatever it is: the process does not serve.
    except Exception as error:
        sys.stderr.write(f"{address}: {error!r}\n")
        return 1
    return 0


def _ask_http(address: str) -> None:
    """Raises unless a GET succeeds."""
    with build_opener(ProxyHandler({})).open(address, timeout=SECONDS):
        pass


def _ask_grpc(address: str) -> None:
    """Raises unless the whole server is SERVING by gRPC's health protocol."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(urlsplit(address).netloc, options=[("grpc.enable_http_proxy", 0)]) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise RuntimeError(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
