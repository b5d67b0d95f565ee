"""A running stack to measure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_stack import RunningStack, running_stack


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--base`, `--turns`: of make bench BASE=revision; `--beside`: other programs beside an imported family."""
    parser.addoption("--base", default="", help="revision whose costs are compared with this tree's")
    parser.addoption("--turns", type=int, default=3, help="of both revisions, after --base")
    parser.addoption("--beside", action="append", default=[], help="command that takes VIDEO AUDIO OUTPUT; repeatable")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    home: Path = tmp_path_factory.mktemp("stack")
    with running_stack(home) as running:
        yield running
