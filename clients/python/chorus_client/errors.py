"""What a call that was refused or failed raises."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

import grpc

Value = str | int | float
"""What an error's message is filled in with"""

# Only Chorus sends it: it says more than a status, which may as well come from gRPC or a proxy.
_ERROR_KEY: Final = "chorus-error-bin"


class ErrorKind(StrEnum):
    """Why something was refused or failed."""

    INVALID_INPUT = "invalid_input"
    NO_FACE = "no_face"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    STORAGE_FULL = "storage_full"
    INTERNAL = "internal"


RETRYABLE: Final = frozenset({ErrorKind.OVERLOADED, ErrorKind.UNAVAILABLE, ErrorKind.DEADLINE})
"""Kinds that may pass: the same call may succeed later"""

_KINDS: Final = {kind.value: kind for kind in ErrorKind}
_KIND_OF_STATUS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: ErrorKind.INVALID_INPUT,
    grpc.StatusCode.UNAUTHENTICATED: ErrorKind.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: ErrorKind.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: ErrorKind.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ErrorKind.OVERLOADED,
    grpc.StatusCode.UNAVAILABLE: ErrorKind.UNAVAILABLE,
    # A server that stops cancels what still runs.
    grpc.StatusCode.CANCELLED: ErrorKind.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorKind.DEADLINE,
}


class ChorusError(Exception):
    """A call that was refused or failed, with a message for a person."""

    def __init__(self, kind: ErrorKind, code: str, message: str, values: Mapping[str, Value] | None = None) -> None:
        """`code` names the message, the same in every language, and `values` are what it is filled in with."""
        super().__init__(kind, code, message, values)
        self.kind = kind
        self.code = code
        self.message = message
        self.values = dict(values or {})

    def __str__(self) -> str:
        return self.message

    @property
    def retryable(self) -> bool:
        """True when the same call may succeed later without any change."""
        return self.kind in RETRYABLE


def read_error(error: grpc.RpcError) -> ChorusError:
    """What the other side told, or what gRPC itself says when nothing of Chorus answered."""
    status, details = error.code(), error.details() or ""
    kind = _KIND_OF_STATUS.get(status, ErrorKind.INTERNAL)
    document = _read_trailer(error.trailing_metadata() or ())
    if document is None:
        told = ChorusError(kind, "call-failed", f"{status.name}: {details}", {"status": status.name})
    else:
        # A kind that only a newer server knows leaves what the status says.
        kind = _KINDS.get(document["kind"], kind)
        told = ChorusError(kind, document["code"], details, document["values"])
    told.__cause__ = error
    return told


def _read_trailer(trailer: Iterable[Any]) -> dict[str, Any] | None:
    """{"kind", "code", "values"}, as gateway.proto describes it; None when no Chorus has sent it."""
    for key, content in trailer:
        if key == _ERROR_KEY:
            with suppress(ValueError):
                document = json.loads(content)
                return document if {"kind", "code", "values"} <= document.keys() else None
    return None
