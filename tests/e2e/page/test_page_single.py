"""One recording, one video: from two drops to the output playing beside its source."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.page.conftest import Recordings
from tests.page_browser import Visitors, drop


def test_a_single_video_plays_beside_its_source(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open("/single")
    drop(page, "single-audio", recordings.speech)
    drop(page, "single-video", recordings.clip)
    page.wait_for_function("document.querySelector('audio')?.duration > 0.9")
    page.wait_for_function("document.querySelector('section video')?.duration > 1")
    page.get_by_role("button", name="Start").click()
    output = page.locator(".comparison video").nth(1)
    expect(output).to_be_visible(timeout=60_000)

    page.wait_for_function("document.querySelectorAll('.comparison video')[1].currentTime > 0.3")
    apart = page.evaluate(
        "(([a, b]) => Math.abs(a.currentTime - b.currentTime))(document.querySelectorAll('.comparison video'))"
    )
    assert apart < 0.3
    page.get_by_label("Position").fill("0.1")
    page.get_by_role("button", name="Play both").click()
    page.get_by_label("Position").fill("0.8")
    page.wait_for_function("[...document.querySelectorAll('.comparison video')].every(v => v.currentTime > 0.7)")

    page.reload()
    expect(page.locator(".comparison")).to_be_visible()
