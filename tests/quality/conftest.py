"""The clips to measure and a running stack to render them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_stack import RunningStack, running_stack

_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".mpg", ".jpg", ".jpeg", ".png"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--talkers`: more to measure; no bars hold for it."""
    parser.addoption("--talkers", type=Path, help="folder of people who speak their own sound, to compare with")


@pytest.fixture(scope="session")
def more_clips(request: pytest.FixtureRequest) -> list[Path]:
    """Every video and still of the folder given."""
    return _clips(request.config.getoption("--clips"))


@pytest.fixture(scope="session")
def talkers(request: pytest.FixtureRequest) -> list[Path]:
    """Every video of the folder given."""
    return _clips(request.config.getoption("--talkers", default=None))


def _clips(folder: Path | None) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES) if folder else []


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    home: Path = tmp_path_factory.mktemp("stack")
    with running_stack(home) as running:
        yield running
