"""The clips to measure and a running stack to render them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_stack import RunningStack, running_stack

_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".jpg", ".jpeg", ".png"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--clips FOLDER`: more videos and stills to measure; for them no bars hold."""
    parser.addoption("--clips", type=Path, help="folder of videos and stills to measure as well")


@pytest.fixture(scope="session")
def more_clips(request: pytest.FixtureRequest) -> list[Path]:
    """Every video and still of the folder given."""
    folder: Path | None = request.config.getoption("--clips", default=None)
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES) if folder else []


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    home: Path = tmp_path_factory.mktemp("stack")
    with running_stack(home) as running:
        yield running
