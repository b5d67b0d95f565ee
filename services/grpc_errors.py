"""Errors on their way through gRPC: a ChorusError as status and trailer, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import grpc

from services.errors import ERROR_TABLE, ChorusError, ErrorKind, error_from_json, error_to_json

# In bytes. gRPC takes 8 KiB of metadata for sure, and needs three bytes of it for each byte of a Chinese detail.
_DETAIL_LIMIT: Final = 1200
_TRAILER_LIMIT: Final = 2000
_VALUE_LIMITS: Final = (1000, 300, 100)
# Only a service of ours sends it: only then is the detail text meant for a person.
_ERROR_KEY: Final = "chorus-error-bin"


def status_of(error: ChorusError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """How an error travels: its status, its details, and the trailing metadata that carries its code and values."""
    details = _cut(error.message, _DETAIL_LIMIT)
    return ERROR_TABLE[error.kind].grpc, details, ((_ERROR_KEY, _write_trailer(error)),)


@contextmanager
def translate_call_errors(service: str) -> Iterator[None]:
    """Turn every grpc.RpcError of the block into a ChorusError; `service` is what a person calls the other side."""
    try:
        yield
    except grpc.RpcError as error:
        raise _call_error(error, service) from error


def _call_error(error: grpc.RpcError, service: str) -> ChorusError:
    status, detail = error.code(), error.details() or ""
    if (told := _read_trailer(error.trailing_metadata() or (), detail)) is not None:
        return told
    if status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return ChorusError(ErrorKind.UNAVAILABLE, "service-unreachable", service=service, reason=detail)
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ChorusError(ErrorKind.DEADLINE, "service-too-slow", service=service)
    return ChorusError(ErrorKind.INTERNAL, "call-failed", service=service, reason=detail, status=status.name)


def _write_trailer(error: ChorusError) -> bytes:
    """The error as JSON of at most _TRAILER_LIMIT bytes: long values are cut, most often the words of another program.

    The message is left out: it travels as the status's details.
    """
    document = error_to_json(error)
    del document["message"]
    for limit in _VALUE_LIMITS:
        document["values"] = {
            name: _cut(value, limit) if isinstance(value, str) else value for name, value in error.values.items()
        }
        content = json.dumps(document, ensure_ascii=False).encode()
        if len(content) <= _TRAILER_LIMIT:
            break
    return content


def _read_trailer(trailer: Iterable[Any], detail: str) -> ChorusError | None:
    """The error that a service of ours gave on purpose; None when the status comes from gRPC itself."""
    content = dict(trailer).get(_ERROR_KEY)
    if content is None:
        return None
    with suppress(ValueError, KeyError, TypeError):
        return error_from_json({**json.loads(content), "message": detail})
    return None


def _cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8."""
    content = text.encode()
    return text if len(content) <= limit else content[: limit - 3].decode(errors="ignore") + "…"
