"""One running stack for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.otlp_receiver import Collector, running_collector
from tests.running_stack import RunningStack, running_stack


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """What the stack sends its traces to."""
    with running_collector() as running:
        yield running


@pytest.fixture(scope="module")
def stack(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    home: Path = tmp_path_factory.mktemp("stack")
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_BSP_SCHEDULE_DELAY": "500"}
    with running_stack(home, traced) as running:
        yield running
