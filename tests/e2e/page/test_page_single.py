"""One recording, one video: from two drops to the output playing beside its source."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.page.conftest import Recordings
from tests.page_browser import Visitors, drop

pytestmark = pytest.mark.timeout(300)


def test_a_single_video_plays_beside_its_source(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open("/single")
    drop(page, "single-audio", recordings.speech)
    drop(page, "single-video", recordings.clip)
    page.wait_for_function("document.querySelector('audio')?.duration > 0.9")
    page.wait_for_function("document.querySelector('section video')?.duration > 1")
    page.get_by_role("button", name="Start").click()
    output = page.locator(".comparison video").nth(1)
    expect(output).to_be_visible(timeout=90_000)

    page.wait_for_function(
        """(([source, output]) => output.currentTime > 0.3 && Math.abs(source.currentTime - output.currentTime) < 0.2)
            (document.querySelectorAll('.comparison video'))"""
    )
    page.get_by_label("Position").fill("0.1")
    page.get_by_role("button", name="Play both").click()
    page.get_by_label("Position").fill("0.8")
    page.wait_for_function("[...document.querySelectorAll('.comparison video')].every(v => v.currentTime > 0.7)")

    page.reload()
    expect(page.locator(".comparison")).to_be_visible()
