"""How large a load is, and on which database."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of make load, make queue-load and make soak."""
    parser.addoption("--jobs", type=int, default=200, help="jobs of make load")
    parser.addoption("--clients", type=int, default=20, help="clients of make load at once")
    parser.addoption("--database", choices=("postgresql", "sqlite"), default="postgresql", help="of make load")
    parser.addoption("--workers", default="10,100,1000", help="numbers of workers of make queue-load")
    parser.addoption("--soak-minutes", type=float, default=60, help="of make soak")
