"""What administrators see and change on the page, and what it says when the disk is too full; the api alone runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from services.acting import Role
from services.gateway.access.accounts import Accounts
from services.jobs import moments, tables
from tests.api_process import ApiProcess, running_api

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    folder = tmp_path_factory.mktemp("admin")
    for name, role in (("anna", Role.ADMIN), ("ben", Role.MAKER)):
        Accounts(folder / "users").put(name, PASSWORD, role)
    with running_api(folder, users=folder / "users", least_free_bytes=1 << 60) as process:
        yield process


def open_as(browser: Browser, api: ApiProcess, name: str, path: str, *, locale: str = "en-US") -> Page:
    """A tab of somebody who is logged in."""
    with httpx.Client(base_url=api.address, trust_env=False) as http:
        assert http.post("/v1/session", json={"name": name, "password": PASSWORD}).status_code == 204
        key = http.cookies["chorus_session"]
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale=locale)
    context.add_cookies([{"name": "chorus_session", "value": key, "url": api.address}])
    page = context.new_page()
    page.goto(api.address + path)
    page.wait_for_function("window.did_handshake")
    return page


def test_an_admin_sets_how_long_things_are_kept(browser: Browser, api: ApiProcess) -> None:
    page = open_as(browser, api, "anna", "/settings")
    expect(page.get_by_text("As this installation was set up.")).to_be_visible()
    days = page.get_by_label("Days (0: until somebody deletes them)")
    days.fill("14")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Set by anna")).to_be_visible()
    days.fill("0.5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Things are kept for 1 to 3650 days")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Finished videos are deleted after 14 days.")).to_be_visible()
    page.get_by_role("button", name="As set up").click()
    expect(page.get_by_text("As this installation was set up.")).to_be_visible()


def keep_upload(api: ApiProcess, *, days: int) -> None:
    """As if somebody had uploaded a recording that many days ago."""
    database = tables.open_database(f"sqlite:///{api.log.parent / 'chorus.db'}")
    row = {"id": f"old-{days}", "name": "old.wav", "kind": "audio", "bytes": 1, "sha256": f"{days}", "seconds": 1.0}
    created = moments.now_ms() - days * 24 * 3600 * 1000
    with tables.transaction(database) as connection:
        connection.execute(sa.insert(tables.media).values(**row, has_audio=True, created_ms=created))
    database.dispose()


def test_an_admin_is_asked_before_anything_is_deleted(browser: Browser, api: ApiProcess) -> None:
    keep_upload(api, days=100)
    page = open_as(browser, api, "anna", "/settings")
    days, save = page.get_by_label("Days (0: until somebody deletes them)"), page.get_by_role("button", name="Save")
    dialog, set_up = page.get_by_role("dialog"), page.get_by_text("As this installation was set up.")
    days.fill("30")
    cancel: Callable[[], None] = dialog.get_by_role("button", name="Cancel").click
    for leave in (cancel, lambda: page.keyboard.press("Escape")):
        save.click()
        expect(dialog).to_contain_text("Delete what is older?")
        expect(dialog).to_contain_text("0 finished videos and 1 upload are older than 30 days")
        leave()
        expect(dialog).to_have_count(0)
        expect(set_up).to_be_visible()
    save.click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Set by anna")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Finished videos are deleted after 30 days.")).to_be_visible()
    page.wait_for_function("window.did_handshake")
    # Nothing is that old: nobody is asked.
    days.fill("200")
    save.click()
    expect(page.get_by_text("Saved. It takes effect within the hour.")).to_be_visible()
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="As set up").click()
    expect(set_up).to_be_visible()


def test_others_see_neither_that_nor_who_did_what(browser: Browser, api: ApiProcess) -> None:
    page = open_as(browser, api, "ben", "/settings")
    expect(page.get_by_text("What is accepted")).to_be_visible()
    expect(page.get_by_text("Who did what")).to_have_count(0)
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.goto(f"{api.address}/audit")
    expect(page.get_by_text("For administrators")).to_be_visible()
    expect(page.locator("table")).to_have_count(0)


def test_an_admin_reads_who_did_what_page_by_page(browser: Browser, api: ApiProcess) -> None:
    with httpx.Client(base_url=api.address, trust_env=False) as http:
        http.post("/v1/session", json={"name": "ben", "password": PASSWORD})
        for number in range(55):
            http.delete(f"/v1/jobs/none-{number}")
    page = open_as(browser, api, "anna", "/settings")
    page.get_by_role("link", name="Show").click()
    page.wait_for_url("**/audit")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("anna")
    expect(rows.first).to_contain_text("login")
    expect(rows.nth(1)).to_contain_text("none-54")
    expect(rows.nth(1)).to_contain_text("job-unknown")
    page.get_by_role("link", name="Older").click()
    expect(rows.first).to_contain_text("none-5")
    page.get_by_role("link", name="Newest").click()
    expect(rows.first).to_contain_text("anna")
    page.get_by_label("Name").fill("ben")
    page.get_by_label("Name").press("Enter")
    page.wait_for_url("**user=ben*")
    expect(rows.first).to_contain_text("none-54")
    page.get_by_role("combobox", name="What").click()
    page.get_by_role("option", name="Logging in").click()
    page.wait_for_url("**action=login*")
    expect(rows.first).to_contain_text("login")
    expect(page.get_by_text("none-54")).to_have_count(0)
    chinese = open_as(browser, api, "anna", "/audit", locale="zh-CN")
    expect(chinese.get_by_text("操作记录").first).to_be_visible()


def test_a_disk_that_is_too_full_is_told_and_a_file_waits_for_room(
    browser: Browser, api: ApiProcess, tmp_path: Path
) -> None:
    page = open_as(browser, api, "ben", "/")
    expect(page.get_by_text("New files and batches are not taken until there is room again")).to_be_visible()
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"x")
    page.locator("input[data-zone=batch-video]").set_input_files(file)
    expect(page.locator(".upload-stopped")).to_contain_text(
        "Delete what is no longer needed, or have the disk enlarged"
    )
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
