"""Cancel and retry, and that a bar moves soon after the job does."""

from __future__ import annotations

import time

from playwright.sync_api import expect

from tests.e2e.page.conftest import Recordings
from tests.page_browser import Visitors, start_batch
from tests.running_stack import SAMPLES


def test_cancel_then_retry_stops_nobody_else(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    start_batch(page, SAMPLES / "announcement_en.wav", recordings.slow, recordings.faceless)
    slow = page.locator(".job-row", has_text="Long interview")
    expect(slow).to_contain_text("Moving the lips", timeout=60_000)
    slow.get_by_role("button", name="Cancel").click()
    expect(slow).to_contain_text("Cancelled")
    bad = page.locator(".job-row", has_text="Landscape")
    expect(bad).to_contain_text("No face was found", timeout=60_000)
    bad.get_by_role("button", name="Try").click()
    slow.get_by_role("button", name="Try").click()
    expect(page.get_by_text("1 of 2 ready · 1 failed")).to_be_visible(timeout=90_000)


def test_cancel_all_asks_first(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    start_batch(page, SAMPLES / "announcement_en.wav", recordings.slow, recordings.clip)
    page.get_by_role("button", name="Cancel all").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel all").click()
    expect(page.locator(".job-row", has_text="Cancelled")).to_have_count(2)


def test_a_bar_follows_its_job_within_seconds(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    start_batch(page, SAMPLES / "announcement_en.wav", recordings.slow)
    bar = page.locator(".job-row progress")
    expect(page.locator(".job-row")).to_contain_text("Moving the lips", timeout=60_000)
    job_id = str(page.locator(".job-row").get_attribute("data-job"))
    done = (visitors.stack.job(job_id)["progress"] or {}).get("frames_done", 0)
    share = round(1000 * (0.3 + 0.68 * done / 236))
    start = time.monotonic()
    page.wait_for_function("([bar, share]) => bar.value >= share - 5", arg=[bar.element_handle(), share])
    assert time.monotonic() - start < 4
    expect(page.get_by_text("1 of 1 ready")).to_be_visible(timeout=90_000)
