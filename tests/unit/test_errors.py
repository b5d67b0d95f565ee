"""The error table is complete, and an error survives its ways between processes."""

from __future__ import annotations

import errno
import json
import pickle
import subprocess
import sys

import pytest

from services.errors import ERROR_TABLE, ChorusError, ErrorKind, error_from_json, error_to_json, unforeseen


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_has_codes(kind: ErrorKind) -> None:
    assert 400 <= ERROR_TABLE[kind].http < 600


def test_no_two_kinds_share_a_grpc_status_but_those_that_are_one_thing_to_grpc() -> None:
    others = set(ErrorKind) - {ErrorKind.STORAGE_FULL}
    assert len({ERROR_TABLE[kind].grpc for kind in others}) == len(others)
    assert ERROR_TABLE[ErrorKind.STORAGE_FULL].grpc is ERROR_TABLE[ErrorKind.OVERLOADED].grpc


def test_only_waiting_helps_against_the_retryable_kinds() -> None:
    retryable = {kind for kind in ErrorKind if ChorusError(kind, "x").retryable}
    assert retryable == {ErrorKind.OVERLOADED, ErrorKind.UNAVAILABLE, ErrorKind.DEADLINE}


def test_an_error_survives_pickling_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ChorusError(ErrorKind.NO_FACE, "as-told", text="a.mp4 shows no face")))
    assert (error.kind, error.code, error.values) == (ErrorKind.NO_FACE, "as-told", {"text": "a.mp4 shows no face"})
    assert str(error) == "a.mp4 shows no face"


def test_an_error_crosses_processes_as_json() -> None:
    error = ChorusError(ErrorKind.OVERLOADED, "as-told", text="all 3")
    document = json.loads(json.dumps(error_to_json(error)))
    assert document == {"kind": "overloaded", "code": "as-told", "message": "all 3", "values": {"text": "all 3"}}
    again = error_from_json(document)
    assert (again.kind, again.code, again.values) == (error.kind, error.code, error.values)


@pytest.mark.parametrize("code", [{}, {"code": None}, {"code": "of-a-newer-version", "values": {"name": "a.mp4"}}])
def test_an_error_of_another_version_keeps_its_words(code: dict[str, object]) -> None:
    told = error_from_json({"kind": "no_face", "message": "a.mp4 shows no face", **code})
    assert (told.kind, told.code, told.text("zh")) == (ErrorKind.NO_FACE, "as-told", "a.mp4 shows no face")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "odd", "code": "as-told", "values": {}},
        {"kind": "no_face", "code": "as-told"},
        {"kind": "no_face", "code": "as-told", "values": {"text": None}},
        {"kind": "no_face", "code": 3, "values": {}},
        {"kind": "no_face", "code": "as-told", "values": 3},
    ],
)
def test_what_is_no_error_is_told_apart(document: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        error_from_json(document)


def test_a_process_without_errors_does_not_pay_for_their_texts() -> None:
    program = "import sys, services.errors; sys.exit(any(name.startswith('fluent') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), ErrorKind.STORAGE_FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), ErrorKind.STORAGE_FULL),
        (RuntimeError("Generic LocalFileSystem error: No space left on device (os error 28)"), ErrorKind.STORAGE_FULL),
        (OSError(errno.EACCES, "Permission denied"), ErrorKind.INTERNAL),
        (ZeroDivisionError(), ErrorKind.INTERNAL),
    ],
)
def test_a_full_disk_is_told_from_a_fault_of_ours(error: Exception, kind: ErrorKind) -> None:
    assert unforeseen(error, "service-failed").kind is kind
