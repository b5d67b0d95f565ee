"""`make test-import CLIPS=folder`: more videos to render with an imported net."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.running_stack import SAMPLES


@pytest.fixture(scope="session")
def clips(request: pytest.FixtureRequest) -> list[Path]:
    """The sample, and every video of the folder given."""
    folder: Path | None = request.config.getoption("--clips")
    return [SAMPLES / "astronaut.mp4", *(sorted(folder.glob("*.mp4")) if folder else [])]
