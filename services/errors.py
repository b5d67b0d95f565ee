"""The one exception of Chorus, its kinds, and THE table from a kind to HTTP and gRPC. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import grpc


class ErrorKind(StrEnum):
    """Why something was refused or failed; every door translates it by ERROR_TABLE and nothing else."""

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


@dataclass(frozen=True, slots=True)
class ErrorCodes:
    """How one kind looks from outside."""

    http: int
    grpc: grpc.StatusCode
    retryable: bool = False


ERROR_TABLE: Final[Mapping[ErrorKind, ErrorCodes]] = {
    ErrorKind.INVALID_INPUT: ErrorCodes(422, grpc.StatusCode.INVALID_ARGUMENT),
    ErrorKind.NO_FACE: ErrorCodes(422, grpc.StatusCode.FAILED_PRECONDITION),
    ErrorKind.UNAUTHENTICATED: ErrorCodes(401, grpc.StatusCode.UNAUTHENTICATED),
    ErrorKind.FORBIDDEN: ErrorCodes(403, grpc.StatusCode.PERMISSION_DENIED),
    ErrorKind.NOT_FOUND: ErrorCodes(404, grpc.StatusCode.NOT_FOUND),
    ErrorKind.CONFLICT: ErrorCodes(409, grpc.StatusCode.ABORTED),
    ErrorKind.TOO_LARGE: ErrorCodes(413, grpc.StatusCode.OUT_OF_RANGE),
    ErrorKind.OVERLOADED: ErrorCodes(429, grpc.StatusCode.RESOURCE_EXHAUSTED, retryable=True),
    ErrorKind.UNAVAILABLE: ErrorCodes(503, grpc.StatusCode.UNAVAILABLE, retryable=True),
    ErrorKind.DEADLINE: ErrorCodes(504, grpc.StatusCode.DEADLINE_EXCEEDED, retryable=True),
    ErrorKind.STORAGE_FULL: ErrorCodes(507, grpc.StatusCode.DATA_LOSS),
    ErrorKind.INTERNAL: ErrorCodes(500, grpc.StatusCode.INTERNAL),
}

_KIND_BY_STATUS: Final[Mapping[grpc.StatusCode, ErrorKind]] = {codes.grpc: kind for kind, codes in ERROR_TABLE.items()}


class ChorusError(Exception):
    """An error with a message for a person: it names the file or thing, and says what to do."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message

    @property
    def retryable(self) -> bool:
        """True when the same request may succeed later without any change."""
        return ERROR_TABLE[self.kind].retryable


def kind_of_status(status: grpc.StatusCode) -> ErrorKind:
    """The kind behind a gRPC status; INTERNAL for a status that no kind maps to."""
    return _KIND_BY_STATUS.get(status, ErrorKind.INTERNAL)
