"""The one exception of Chorus, its kinds, its JSON form, and THE table from a kind to HTTP and gRPC."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import grpc

from services.messages.catalogue import Value, is_known, text_of

AS_TOLD: Final = "as-told"
"""The code of an error that came as words only"""


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
    ErrorKind.STORAGE_FULL: ErrorCodes(507, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ErrorKind.INTERNAL: ErrorCodes(500, grpc.StatusCode.INTERNAL),
}


class ChorusError(Exception):
    """An error with a message for a person: the kind decides how doors answer, the code what the person reads."""

    def __init__(self, kind: ErrorKind, code: str, /, **values: Value) -> None:
        """`code` is the id of a message in services/messages, `values` are the variables of that message."""
        super().__init__(kind, code)
        self.kind = kind
        self.code = code
        self.values = values

    def __str__(self) -> str:
        return self.message

    def __eq__(self, other: object) -> bool:
        """Equal errors say the same: who watches a job must not take the same error, read again, for a change."""
        if not isinstance(other, ChorusError):
            return NotImplemented
        return (self.kind, self.code, self.values) == (other.kind, other.code, other.values)

    def __hash__(self) -> int:
        return hash((self.kind, self.code))

    @property
    def message(self) -> str:
        """The text in English."""
        return text_of(self.code, self.values)

    def text(self, language: str) -> str:
        """The text in one of messages.catalogue.LANGUAGES."""
        return text_of(self.code, self.values, language)

    @property
    def retryable(self) -> bool:
        """True when the same request may succeed later without any change."""
        return ERROR_TABLE[self.kind].retryable


def is_disk_full(error: Exception) -> bool:
    """Whether that is why something was not written."""
    # obstore passes the operating system's error on as text only.
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in str(error)


def unforeseen(error: Exception, code: str, /, **values: Value) -> ChorusError:
    """What a person is told of an error that nobody translated: `code` and INTERNAL, or that the disk is full.

    A full disk may stop any line that writes, and whoever waits for room must know it from a fault of ours.
    """
    if is_disk_full(error):
        return ChorusError(ErrorKind.STORAGE_FULL, "disk-full")
    return ChorusError(ErrorKind.INTERNAL, code, **values)


def exit_code_of(work: Callable[[], None]) -> int:
    """Of a program that does `work`: 0, or 1 after the words of the ChorusError that ended it, on stderr."""
    try:
        work()
    except ChorusError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def error_to_json(error: ChorusError) -> dict[str, Any]:
    """The one form in which an error crosses processes; the message is for whoever does not know the code."""
    return {"kind": error.kind.value, "code": error.code, "message": error.message, "values": dict(error.values)}


def error_from_json(document: Mapping[str, Any]) -> ChorusError:
    """The inverse of error_to_json; KeyError, TypeError or ValueError for anything else.

    A code that this version does not know, or none at all from an older one, leaves the message as it was told.
    """
    kind, code = ErrorKind(document["kind"]), document.get("code")
    if "message" in document and not (isinstance(code, str) and is_known(code)):
        return ChorusError(kind, AS_TOLD, text=str(document["message"]))
    values = dict(document["values"])
    if not isinstance(code, str) or not all(isinstance(value, Value) for value in values.values()):
        raise TypeError("not the JSON form of an error")
    return ChorusError(kind, code, **values)
