"""What the doors accept by name is what the probe can open."""

from __future__ import annotations

from services.accepted_files import CONTAINERS
from services.media import source


def test_every_ending_stands_for_a_format_that_the_probe_lets_pass() -> None:
    assert set(source._FORMATS.split(",")) >= CONTAINERS
