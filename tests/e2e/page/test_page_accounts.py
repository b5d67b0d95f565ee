"""An installation with accounts: who logs in sees their own, in whichever browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from services.acting import Role
from services.gateway.access.accounts import Accounts
from tests.e2e.page.conftest import Recordings
from tests.page_browser import Visitors, drop, rows, start_batch
from tests.running_stack import RunningStack, running_stack

pytestmark = pytest.mark.timeout(300)
_PASSWORDS = {"anna": "blue horse 7", "ben": "green boat 9", "vera": "white crow 3"}
_ROLES = {"vera": Role.VIEWER}


@pytest.fixture(scope="module")
def locked_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Anna, Ben and Vera have accounts, nobody else comes in."""
    home: Path = tmp_path_factory.mktemp("locked_stack")
    users = home / "data" / "users"
    users.parent.mkdir()
    for name, password in _PASSWORDS.items():
        Accounts(users).put(name, password, _ROLES.get(name))
    with running_stack(home) as running:
        yield running


@pytest.fixture
def members(locked_stack: RunningStack, browser: Browser) -> Iterator[Visitors]:
    """As `visitors`, of the locked stack."""
    group = Visitors(browser, locked_stack)
    yield group
    group.leave()
    assert group.troubles == []


def _log_in(members: Visitors, context: BrowserContext, name: str) -> Page:
    form = context.new_page()
    form.goto(members.stack.address)
    form.get_by_label("Name").fill(name)
    form.get_by_label("Password").fill(_PASSWORDS[name])
    form.get_by_role("button").click()
    expect(form.get_by_role("button", name=f"Log out {name}")).to_be_visible()
    form.close()
    return members.open(context=context)


def test_each_member_sees_their_own_first(members: Visitors, recordings: Recordings) -> None:
    hers = _log_in(members, members.come(), "anna")
    start_batch(hers, recordings.speech, recordings.clip)
    his = _log_in(members, members.come(), "ben")
    start_batch(his, recordings.speech, recordings.photo)
    for page in (hers, his):
        expect(page.get_by_text("1 of 1 ready").first).to_be_visible(timeout=90_000)
        page.get_by_role("link", name="History").click()
        expect(page.locator(".history-row")).to_have_count(2)
    expect(his.locator(".history-row").nth(0)).to_contain_text("Ben Okafor")
    expect(his.locator(".history-row").nth(1)).to_contain_text("by a colleague")
    expect(hers.locator(".history-row").nth(0)).to_contain_text("Anna Meier")
    expect(hers.locator(".history-row").nth(1)).to_contain_text("by a colleague")


def test_who_logs_in_after_somebody_else_starts_with_their_own_draft(members: Visitors, recordings: Recordings) -> None:
    browser = members.come()
    page = _log_in(members, browser, "anna")
    drop(page, "batch-video", recordings.clip)
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Log out anna").click()
    # Not wait_for_url: the page goes there of its own accord as well, and one of both ways is broken off.
    expect(page).to_have_url(re.compile("/login"))
    page.close()
    his = _log_in(members, browser, "ben")
    expect(his.get_by_text("First, add a recording.")).to_be_visible()
    drop(his, "batch-video", recordings.photo)
    expect(rows(his).last).to_contain_text("Ben Okafor")
    expect(rows(his)).to_have_count(1)


def test_an_open_page_ends_with_the_login(members: Visitors, locked_stack: RunningStack) -> None:
    browser = members.come()
    _log_in(members, browser, "ben").close()
    # Not one of those whose console has to stay silent: it is hung up on.
    page = browser.new_page()
    page.goto(f"{members.stack.address}/live")
    page.wait_for_function("window.did_handshake")
    Accounts(locked_stack.home / "data" / "users").put("ben", _PASSWORDS["ben"])
    expect(page).to_have_url(re.compile(r"/login\?next=%2Flive$"), timeout=8_000)
    # Chromium may not come to the end of closing a tab that is about to show another page.
    expect(page.get_by_label("Name")).to_be_visible()


def test_a_viewer_looks_and_makes_nothing(members: Visitors, recordings: Recordings) -> None:
    page = _log_in(members, members.come(), "vera")
    expect(page.get_by_text("You may look and download")).to_be_visible()
    expect(page.locator("input[type=file]")).to_have_count(0)
    page.get_by_role("link", name="History").click()
    expect(page.locator(".history-row").first).to_be_visible()
    expect(page.get_by_role("link", name="Download").first).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)


def test_only_admins_find_the_models(members: Visitors) -> None:
    hers = _log_in(members, members.come(), "anna")
    hers.goto(members.stack.address + "/settings")
    expect(hers.get_by_role("link", name="Models")).to_be_visible()
    his = _log_in(members, members.come(), "ben")
    his.goto(members.stack.address + "/settings")
    expect(his.get_by_role("heading", name="Settings")).to_be_visible()
    expect(his.get_by_role("link", name="Models")).to_have_count(0)
    his.goto(members.stack.address + "/models")
    expect(his.get_by_text("Models are managed by admins")).to_be_visible()
    expect(his.locator("input[data-zone=import-model]")).to_have_count(0)
