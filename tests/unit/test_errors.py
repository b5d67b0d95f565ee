"""The error table is complete, and says the same in both directions."""

from __future__ import annotations

import pickle

import grpc
import pytest

from services.errors import ERROR_TABLE, ChorusError, ErrorKind, kind_of_status


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_has_codes_and_comes_back_from_its_grpc_status(kind: ErrorKind) -> None:
    assert 400 <= ERROR_TABLE[kind].http < 600
    assert kind_of_status(ERROR_TABLE[kind].grpc) is kind


def test_no_two_kinds_share_a_grpc_status() -> None:
    assert len({codes.grpc for codes in ERROR_TABLE.values()}) == len(ErrorKind)


def test_an_unknown_status_is_internal() -> None:
    assert kind_of_status(grpc.StatusCode.UNIMPLEMENTED) is ErrorKind.INTERNAL


def test_only_waiting_helps_against_the_retryable_kinds() -> None:
    retryable = {kind for kind in ErrorKind if ChorusError(kind, "x").retryable}
    assert retryable == {ErrorKind.OVERLOADED, ErrorKind.UNAVAILABLE, ErrorKind.DEADLINE}


def test_an_error_survives_pickling_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ChorusError(ErrorKind.NO_FACE, "a.mp4 shows no face")))
    assert (error.kind, str(error)) == (ErrorKind.NO_FACE, "a.mp4 shows no face")
