"""The client package stands alone, and says the same of errors as the server."""

from __future__ import annotations

import ast
import inspect
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from chorus_client import AsyncChorus, Chorus
from chorus_client import errors as client_errors
from services.errors import ERROR_TABLE, ErrorKind

CLIENT = Path(__file__).parents[2] / "clients" / "python"
OWN = "chorus_client"


def imports() -> Iterator[tuple[str, str]]:
    """Every file of the package, and each module that it imports."""
    for path in sorted((CLIENT / OWN).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path.name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                yield path.name, node.module or ""


def test_it_imports_the_standard_library_grpc_and_protobuf_alone() -> None:
    def is_allowed(module: str) -> bool:
        top = module.split(".")[0]
        return top in {OWN, "grpc", *sys.stdlib_module_names} or module.startswith("google.protobuf")

    found = list(imports())
    assert [each for each in found if not is_allowed(each[1])] == []
    assert {"grpc", "google.protobuf.message_factory"} <= {module for _, module in found}


def test_it_declares_just_that() -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    assert sorted(each.split(">")[0] for each in project["dependencies"]) == ["grpcio", "protobuf"]


def test_it_knows_the_kinds_of_errors_that_the_server_has() -> None:
    assert {kind.value for kind in client_errors.ErrorKind} == {kind.value for kind in ErrorKind}
    retryable = {kind.value for kind, codes in ERROR_TABLE.items() if codes.retryable}
    assert {kind.value for kind in client_errors.RETRYABLE} == retryable


def test_both_clients_have_the_same_methods() -> None:
    def methods(client: type) -> dict[str, list[str]]:
        found = inspect.getmembers(client, inspect.isfunction)
        return {name: list(inspect.signature(each).parameters) for name, each in found if not name.endswith("exit__")}

    blocking, asynchronous = methods(Chorus), methods(AsyncChorus)
    assert len(blocking) > 20
    assert {name: blocking[name] for name in blocking if name != "__enter__"} == {
        name: asynchronous[name] for name in asynchronous if name != "__aenter__"
    }
