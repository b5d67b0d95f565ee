"""How an installation is reached: channel options, certificates, the token, the health protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc

CHANNEL_OPTIONS: Final[Sequence[tuple[str, Any]]] = (
    ("grpc.max_receive_message_length", 64 << 20),
    # Installations lie in one's own network; a company's web proxy must not get between.
    ("grpc.enable_http_proxy", 0),
    # A name with several addresses: all of them are used, one that dies is left, and the name looked up again soon.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # Tells a connection that died without a word from a job that waits for hours. It is this timeout that gRPC takes
    # for a ping without an answer; keepalive_timeout_ms changes nothing.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)

HEALTH_CHECK: Final = "/grpc.health.v1.Health/Check"
EVERYTHING: Final = b""
"""HealthCheckRequest of the server as a whole, serialised"""
SERVING: Final = b"\x08\x01"
"""HealthCheckResponse with status SERVING, serialised"""

Certificate = str | Path
"""Path of a PEM file"""
Metadata = tuple[tuple[str, str], ...]


def read_credentials(
    root_certificate: Certificate | None, client_certificate: tuple[Certificate, Certificate] | None
) -> grpc.ChannelCredentials | None:
    """TLS by the roots that the server is to be trusted by; None without any.

    `client_certificate` are the certificate (with what leads to its root) and its key, for mutual TLS.
    """
    if root_certificate is None:
        if client_certificate is not None:
            raise ValueError("a client certificate needs root_certificate beside it: without TLS nobody asks for it")
        return None
    roots = Path(root_certificate).read_bytes()
    if client_certificate is None:
        return grpc.ssl_channel_credentials(roots)
    chain, key = (Path(each).read_bytes() for each in client_certificate)
    return grpc.ssl_channel_credentials(roots, private_key=key, certificate_chain=chain)


def call_metadata(token: str) -> Metadata:
    """What goes with every call."""
    return (("authorization", f"Bearer {token}"),) if token else ()
