"""Marks every test by its folder, and gives it both kinds of state and Ctrl-C.

By hand only: `chaos`, for what needs another folder's fixtures and waits long for others to take over.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from math import inf
from pathlib import Path

import pytest

from services.acting import SYSTEM, acting_as
from tests.example_family import install_example
from tests.states import NewState, Servers

_FOLDERS = frozenset(
    {"unit", "contract", "integration", "fuzz", "e2e", "chaos", "bench", "quality", "cluster", "load", "importing"}
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--inputs`, `--seed`: of make fuzz; `--rounds`, `--minutes`, `--round`, `--seed`: of make chaos.

    `--clips`: of make quality and make test-import; no bars hold for what is measured more.
    """
    parser.addoption("--clips", type=Path, help="folder of videos to measure as well; tests/quality takes stills, too")
    parser.addoption("--inputs", type=int, default=100, help="of each kind of tests/fuzz")
    parser.addoption("--rounds", type=int, default=5, help="of tests/chaos, on each kind of state")
    parser.addoption("--minutes", type=float, default=inf, help="of tests/chaos: begin no round after them")
    parser.addoption("--round", type=int, help="of tests/chaos: no other than this one")
    parser.addoption("--seed", type=int, default=1, help="of tests/fuzz and of tests/chaos")


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start, as at a terminal.

    A shell without job control starts `command &` with SIGINT ignored, and every child inherits that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in tests/<folder>/ gets the mark <folder>."""
    root = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(root).parts[0]
        if folder in _FOLDERS:
            item.add_marker(folder)


@pytest.fixture(scope="session")
def example_family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip has installed examples/family; pip takes seconds."""
    return install_example(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """See Servers."""
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture
def as_system() -> Iterator[None]:
    """What the test itself calls, it calls as a process does whose own work it is."""
    with acting_as(SYSTEM):
        yield


@pytest.fixture(scope="module", params=["sqlite and folder", "postgresql and s3"])
def new_state(request: pytest.FixtureRequest, servers: Servers) -> NewState:
    """Both kinds in turn: what asks for it runs on each."""
    return dict if request.param == "sqlite and folder" else servers.new_state
