"""Channels to our services, for processes that only ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import grpc

MESSAGE_LIMIT: Final = 64 << 20
CHANNEL_OPTIONS: Final[Sequence[tuple[str, Any]]] = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    # Services find each other by address; a company's web proxy must not get between them.
    ("grpc.enable_http_proxy", 0),
    # A service that was restarted is found again within 2 s, not within gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


def open_channel(address: str) -> grpc.Channel:
    """A channel to a service at host:port, with our message limit and a quick reconnect."""
    return grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
