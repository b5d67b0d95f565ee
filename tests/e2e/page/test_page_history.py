"""Searching, filtering, choosing, downloading and deleting what was made."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from playwright.sync_api import expect

from tests.e2e.page.conftest import Recordings
from tests.page_browser import Visitors

pytestmark = pytest.mark.timeout(300)


def test_search_filter_choose_download_and_delete(visitors: Visitors, recordings: Recordings) -> None:
    stack = visitors.stack
    batch = stack.create_batch(recordings.speech, [recordings.clip, recordings.photo, recordings.faceless])
    for job in batch["jobs"]:
        stack.wait_for(job["id"])
    page = visitors.open("/history")
    mine = page.locator(".history-row")
    page.get_by_label("Search by name").fill("okafor")
    expect(mine.first).to_contain_text("Ben Okafor")
    expect(page.locator(".history-row", has_text="Anna")).to_have_count(0)
    expect(page).to_have_url(re.compile("name=okafor"))
    page.get_by_role("link", name="History").click()
    expect(page.get_by_label("Search by name")).to_have_value("")
    page.get_by_role("link", name="Play Anna Meier").first.click()
    expect(page.locator(".comparison video")).to_have_count(2)
    page.go_back()
    expect(page.get_by_role("heading", name="History")).to_be_visible()

    page.goto(stack.address + "/history?state=failed")
    expect(mine.first).to_contain_text("No face was found")
    page.goto(stack.address + "/history?until=2020-01-01")
    expect(page.get_by_text("Nothing matches")).to_be_visible()

    page.goto(stack.address + "/history?state=succeeded")
    mine.nth(0).get_by_role("checkbox").click()
    mine.nth(1).get_by_role("checkbox").click()
    expect(page.get_by_text("2 chosen")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download 2 finished").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert len(archive.namelist()) == 2

    total = page.locator(".list-head [role=status]").inner_text()
    page.locator(".action-bar").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.locator(".action-bar").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".list-head [role=status]")).not_to_have_text(total)
    expect(page.locator(".action-bar")).to_be_hidden()


def test_the_log_shows_the_lines_of_one_job(visitors: Visitors, recordings: Recordings) -> None:
    job = visitors.stack.create_batch(recordings.speech, [recordings.clip])["jobs"][0]
    visitors.stack.wait_for(job["id"])
    page = visitors.open("/log")
    expect(page.locator(".log")).to_contain_text("gateway")
    page.goto(f"{visitors.stack.address}/log?job={job['id']}")
    expect(page.locator(".log")).to_contain_text(job["id"])
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert job["id"] in download.value.path().read_text()
