"""One stack, one browser and small recordings for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.announcement import announcement
from tests.page_browser import Visitors, landscape, open_browser, short_clip
from tests.running_stack import RunningStack, running_stack


@dataclass(frozen=True, slots=True)
class Recordings:
    """Files that a visitor drops on the page."""

    speech: Path
    long_speech: Path
    """Whoever speaks it is still at it when a test has looked around and cancels"""
    clip: Path
    photo: Path
    faceless: Path
    slow: Path
    """A clip that takes some seconds to render"""


@pytest.fixture(scope="package")
def page_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("page_stack")) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with open_browser() as running:
        yield running


@pytest.fixture(scope="package")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    folder = tmp_path_factory.mktemp("recordings")
    return Recordings(
        speech=announcement(folder / "Welcome speech.wav", 1.2),
        long_speech=announcement(folder / "Annual report.wav", 40),
        clip=short_clip(folder / "Anna Meier.mp4"),
        photo=short_clip(folder / "Ben Okafor.mp4", frames=40),
        faceless=landscape(folder / "Landscape.jpg"),
        slow=short_clip(folder / "Long interview.mp4", frames=240),
    )


@pytest.fixture
def visitors(page_stack: RunningStack, browser: Browser) -> Iterator[Visitors]:
    """Fails the test afterwards when a tab had an error in its console or asked another host for something."""
    group = Visitors(browser, page_stack)
    yield group
    group.leave()
    assert group.troubles == []
