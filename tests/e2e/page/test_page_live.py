"""Cancel and retry, and that a bar moves while its job does."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.page.conftest import Recordings
from tests.page_browser import Visitors, start_batch

pytestmark = pytest.mark.timeout(300)


def test_cancel_then_retry_stops_nobody_else(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    start_batch(page, recordings.long_speech, recordings.slow, recordings.faceless)
    slow = page.locator(".job-row", has_text="Long interview")
    expect(slow).to_contain_text("Moving the lips", timeout=60_000)
    slow.get_by_role("button", name="Cancel").click()
    expect(slow).to_contain_text("Cancelled")
    bad = page.locator(".job-row", has_text="Landscape")
    expect(bad).to_contain_text("No face was found", timeout=60_000)
    expect(page.get_by_text("0 of 2 ready · 1 failed")).to_be_visible()
    bad.get_by_role("button", name="Try").click()
    slow.get_by_role("button", name="Try").click()
    expect(slow).to_contain_text("Moving the lips", timeout=60_000)
    slow.get_by_role("button", name="Cancel").click()
    expect(slow).to_contain_text("Cancelled")
    expect(bad).to_contain_text("No face was found", timeout=60_000)
    assert visitors.stack.job(str(bad.get_attribute("data-job")))["attempt"] == 2


def test_cancel_all_asks_first(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    start_batch(page, recordings.long_speech, recordings.slow, recordings.clip)
    page.get_by_role("button", name="Cancel all").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel all").click()
    expect(page.locator(".job-row", has_text="Cancelled")).to_have_count(2)


def test_a_bar_moves_while_its_job_does(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    start_batch(page, recordings.long_speech, recordings.slow)
    page.locator(".job-row progress").evaluate(
        """bar => {
            window.places = [];
            new MutationObserver(() => window.places.push(bar.value)).observe(bar, {attributeFilter: ["value"]});
        }"""
    )
    # A bar that is slow to follow finds its job at the end before it has been at so many places.
    page.wait_for_function(
        "new Set(window.places.filter(place => 0 < place && place < 1000)).size >= 4", timeout=90_000
    )
    page.get_by_role("button", name="Cancel Long interview").click()
    expect(page.locator(".job-row")).to_contain_text("Cancelled")
    places = page.evaluate("window.places")
    assert places == sorted(places)
