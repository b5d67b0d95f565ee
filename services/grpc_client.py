"""Channels to services, for processes that only ask: spread over the replicas behind a name, mended by themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import grpc

from services.tls.files import FileMade
from services.tls.identity import ClientTls

MESSAGE_LIMIT: Final = 64 << 20

Options = Sequence[tuple[str, Any]]

# Every call of ours may be repeated: results lie under the hash of what they were made from, and inference has none.
# gRPC repeats a call only before its first answer; a stream that breaks later is the caller's to begin again.
_SERVICE_CONFIG: Final = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.2s",
                "maxBackoff": "2s",
                "backoffMultiplier": 4,
                # CANCELLED is what a server says that got a call while it begins to stop. Ours are not repeated when
                # they are cancelled here.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
    # The budget: after ten failures in a row nothing is repeated until calls succeed, so that no storm meets a service
    # that is about to come back.
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.5},
}

CHANNEL_OPTIONS: Final[Options] = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    # What is kept of a call until its first answer, so that it can be repeated; gRPC's 256 KiB hold no picture.
    ("grpc.per_rpc_retry_buffer_size", MESSAGE_LIMIT),
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.service_config_disable_resolution", 1),
    # Services find each other by address; a company's web proxy must not get between them.
    ("grpc.enable_http_proxy", 0),
    # A service that was restarted is found again within 2 s, not within gRPC's two minutes,
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # and the name is looked up again as soon; gRPC's least is 30 s.
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    # A machine that vanished says no goodbye: what is sent and not acknowledged within 5 s ends the connection, and so
    # does a ping without an answer (of the two times gRPC takes the second for that, whose default is a minute).
    ("grpc.keepalive_time_ms", 5000),
    ("grpc.keepalive_timeout_ms", 5000),
    ("grpc.http2.ping_timeout_ms", 5000),
)
# Our own servers take a ping at any time. Others, Triton among them, end a connection that is pinged oftener than they
# like: there gRPC's own limit stays, one ping a minute while nothing else is sent.
_OWN_CHANNEL_OPTIONS: Final[Options] = (
    *CHANNEL_OPTIONS,
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


def open_channel(address: str, tls: ClientTls | None = None, *, ours: bool = True) -> grpc.Channel:
    """A channel to a service at host:port, or to every address behind the name of dns:///name:port.

    `ours` is False for a server that sets gRPC's own limits to pings. OSError or ValueError when a file of `tls` cannot
    be used.
    """
    options = _OWN_CHANNEL_OPTIONS if ours else CHANNEL_OPTIONS
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, tls.grpc_credentials(), options=options)


class Connection:
    """The channel to a service; a new one once the certificates change, while calls under way end on the old one.

    Safe to share by threads. To call on it is to ask for `channel` each time.
    """

    def __init__(self, address: str, tls: ClientTls | None = None, *, ours: bool = True) -> None:
        """As open_channel; INVALID_INPUT when a file of `tls` cannot be used."""
        self._channels = FileMade(tls.files if tls else [], partial(open_channel, address, tls, ours=ours))

    @property
    def channel(self) -> grpc.Channel:
        """The one for a call that begins now."""
        return self._channels.current()

    def close(self) -> None:
        """Close it; calls under way end with UNAVAILABLE."""
        self._channels.current().close()
