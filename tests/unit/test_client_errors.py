"""How chorus_client reads what a call failed with."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest

from chorus_client import ErrorKind
from chorus_client.errors import read_error


class Failure(grpc.RpcError):
    """As gRPC raises it."""

    def __init__(self, status: grpc.StatusCode, trailer: bytes | None = None) -> None:
        self._status = status
        self._trailer = trailer

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return "some words"

    def trailing_metadata(self) -> Any:
        return () if self._trailer is None else (("chorus-error-bin", self._trailer),)


def trailer(kind: str) -> bytes:
    return json.dumps({"kind": kind, "code": "no-face", "values": {"name": "两.mp4", "faces": 0}}).encode()


def test_what_the_server_told() -> None:
    failure = Failure(grpc.StatusCode.FAILED_PRECONDITION, trailer("no_face"))
    error = read_error(failure)
    assert (error.kind, error.code, str(error)) == (ErrorKind.NO_FACE, "no-face", "some words")
    assert error.values == {"name": "两.mp4", "faces": 0}
    assert error.__cause__ is failure


def test_a_kind_of_a_newer_server_is_read_by_its_status() -> None:
    error = read_error(Failure(grpc.StatusCode.UNAVAILABLE, trailer("on_holiday")))
    assert (error.kind, error.code, error.retryable) == (ErrorKind.UNAVAILABLE, "no-face", True)


@pytest.mark.parametrize("content", [None, b"no json", b"{}"])
def test_what_grpc_says_by_itself(content: bytes | None) -> None:
    for status, kind in (
        (grpc.StatusCode.CANCELLED, ErrorKind.UNAVAILABLE),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ErrorKind.OVERLOADED),
        (grpc.StatusCode.UNIMPLEMENTED, ErrorKind.INTERNAL),
    ):
        error = read_error(Failure(status, content))
        assert (error.kind, error.code, str(error)) == (kind, "call-failed", f"{status.name}: some words")
