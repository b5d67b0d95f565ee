"""Each process's extra in pyproject.toml declares just what that process imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Found by their names at run time: SQLAlchemy's driver for PostgreSQL, and what FastAPI reads forms with.
BY_NAME = {"psycopg", "python-multipart"}
# A process imports them only where its environment names a collector of traces, or a provider of logins.
TRACING = "services.telemetry.otel"
LOGINS = "services.gateway.access.oidc"
# ... or where it is installed.
OPENVINO = "services.importing.openvino"
# ... or where a MuseTalk is imported.
MUSETALK = "services.importing.musetalk.conversion"
# One package of several distributions.
NAMESPACE = {
    "opentelemetry.exporter.otlp.proto.grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry": "opentelemetry-api",
}


@pytest.mark.parametrize(
    ("extra", "roots"),
    [
        ("api", ["services.gateway.__main__"]),
        ("worker", ["services.worker.__main__"]),
        ("render", ["services.render.__main__"]),
        ("preprocess", ["services.preprocess.__main__"]),
        ("local", ["services.cli.main", "services.local.__main__"]),
        ("otel", [TRACING]),
        ("oidc", [LOGINS]),
        ("openvino", [OPENVINO]),
        ("musetalk", [MUSETALK]),
        ("import", ["services.importing.__main__", "services.importing.errand"]),
    ],
)
def test_an_extra_declares_what_its_process_imports_and_no_more(extra: str, roots: list[str]) -> None:
    extras = PROJECT["optional-dependencies"]
    own, needed = declared(extras[extra]), distributions_of(roots)
    inside = set[str]().union(*(declared(extras[each]) for each in extras_within(extras[extra])))
    assert needed - own - inside - declared(PROJECT["dependencies"]) == set()
    assert own - needed - BY_NAME == set()


def test_the_core_is_what_every_process_of_a_cluster_imports() -> None:
    roots = ["gateway", "worker", "render", "preprocess"]
    everywhere = set.intersection(*(distributions_of([f"services.{each}.__main__"]) for each in roots))
    assert declared(PROJECT["dependencies"]) - everywhere == set()


def test_the_api_and_the_worker_need_no_pixels_and_the_worker_no_web_server() -> None:
    pixels = {"numpy", "opencv-python-headless", "av", "tritonclient"}
    web = {"fastapi", "nicegui", "uvicorn", "starlette"}
    assert distributions_of(["services.gateway.__main__"]) & pixels == set()
    assert distributions_of(["services.worker.__main__"]) & (pixels | web) == set()
    assert distributions_of(["services.render.__main__"]) & (web | {"dbos", "sqlalchemy"}) == set()


def declared(requirements: list[str]) -> set[str]:
    """The distributions that requirements name; our own extras among them are left out."""
    names = {re.split(r"[\[<>=! ]", each)[0].lower().replace("_", "-") for each in requirements}
    return names - {"chorus"}


def extras_within(requirements: list[str]) -> list[str]:
    """`chorus[a,b]` -> a, b."""
    found = (re.fullmatch(r"chorus\[(.*)\]", each) for each in requirements)
    return [name for each in found if each for name in each[1].split(",")]


def distributions_of(roots: list[str]) -> set[str]:
    """The distributions of all third-party modules that the roots import, also inside functions."""
    seen: set[str] = set()
    waiting = list(roots)
    found: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in (TRACING, LOGINS, OPENVINO, MUSETALK) and module not in roots:
            continue
        if module in seen or (path := path_of(module)) is None:
            continue
        seen.add(module)
        for name in imports_of(path):
            if name.split(".")[0] == "services":
                # `from package import name`: the name may be a module, and packages run their __init__.
                waiting += [name, *(parent for parent in parents_of(name) if path_of(parent))]
            elif name.split(".")[0] not in sys.stdlib_module_names:
                found.add(distribution_of(name))
    return found


def parents_of(module: str) -> Iterator[str]:
    """`a.b.c` -> `a`, `a.b`."""
    parts = module.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts)))


def path_of(module: str) -> Path | None:
    """The file of one of our modules; None for a name inside a module."""
    base = ROOT / module.replace(".", "/")
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.exists()), None)


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Every module that a file may import, type checking apart."""
    names: set[str] = set()
    for node in _run(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def _run(statements: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    for statement in statements:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue
        yield from ast.walk(statement)


@cache
def _distributions() -> dict[str, list[str]]:
    return {name: list(found) for name, found in packages_distributions().items()}


def distribution_of(module: str) -> str:
    """Which distribution a third-party module comes from."""
    special = {"grpc_health": "grpcio-health-checking", "grpc_reflection": "grpcio-reflection", "google": "protobuf"}
    # python-multipart brings a module of this name as well, which steps back for the real one.
    special["multipart"] = "multipart"
    top = module.split(".")[0]
    for package, distribution in NAMESPACE.items():
        if f"{module}.".startswith(f"{package}."):
            return distribution
    return special.get(top) or _distributions().get(top, [top])[0].lower().replace("_", "-")
