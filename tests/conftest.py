"""Marks every test by its folder, so that nobody writes marks by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDERS = frozenset({"unit", "contract", "integration", "e2e", "chaos", "bench", "quality"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in tests/<folder>/ gets the mark <folder>."""
    root = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(root).parts[0]
        if folder in _FOLDERS:
            item.add_marker(folder)
