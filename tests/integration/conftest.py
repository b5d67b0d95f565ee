"""The children that read whole files, once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.media import Readers


@pytest.fixture(scope="session")
def readers() -> Iterator[Readers]:
    """See Readers."""
    found = Readers()
    yield found
    found.close()
