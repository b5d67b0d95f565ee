"""How many inputs, and from which seed."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def inputs(request: pytest.FixtureRequest) -> int:
    """How many of each kind; few by default, for every run of the suite."""
    return int(request.config.getoption("--inputs"))


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """Told with every finding, so that it can be had again."""
    return int(request.config.getoption("--seed"))
