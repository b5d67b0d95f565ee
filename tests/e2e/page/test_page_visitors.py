"""Who looks: two people, two languages, wide and narrow, with a keyboard, with a screen reader."""

from __future__ import annotations

from importlib.resources import files

import pytest
from playwright.sync_api import expect

from tests.e2e.page.conftest import Recordings
from tests.page_browser import NARROW, Visitors, drop, rows, start_batch

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
VIEWS = ("/", "/single", "/live", "/history", "/log", "/settings")


def test_two_people_see_their_own_first(visitors: Visitors, recordings: Recordings) -> None:
    anna, ben = visitors.come(), visitors.come()
    hers = visitors.open(context=anna)
    drop(hers, "batch-audio", recordings.speech)
    drop(hers, "batch-video", recordings.clip)
    expect(rows(hers)).to_have_count(1)
    his = visitors.open(context=ben)
    expect(his.get_by_text("First, add a recording.")).to_be_visible()
    start_batch(his, recordings.speech, recordings.photo)
    expect(his.get_by_text("1 of 1 ready")).to_be_visible(timeout=60_000)
    hers.get_by_role("button", name="Start").click()
    expect(hers.get_by_text("1 of 1 ready")).to_be_visible(timeout=60_000)
    his.get_by_role("link", name="History").click()
    expect(his.locator(".history-row").first).to_contain_text("Ben Okafor")
    expect(his.locator(".history-row", has_text="Anna Meier").first).to_contain_text("by a colleague")


def test_the_browser_chooses_the_language_and_the_visitor_changes_it(visitors: Visitors) -> None:
    page = visitors.open(locale="zh-CN")
    expect(page.get_by_role("heading", name="新建批次")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="New batch")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="New batch")).to_be_visible()


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_360_pixels(visitors: Visitors, view: str) -> None:
    page = visitors.open(view, viewport=NARROW)
    page.wait_for_timeout(700)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect(page.get_by_role("navigation", name="Main")).to_be_in_viewport()


def test_the_keyboard_reaches_everything_in_order(visitors: Visitors) -> None:
    page = visitors.open()
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel"))
        look = page.evaluate(
            "(({outlineStyle, boxShadow}) => [outlineStyle, boxShadow])(getComputedStyle(document.activeElement))"
        )
        assert look != ["none", "none"], f"no visible focus on {seen[-1]}"
    assert "Skip to the content" in seen[0]
    wanted = ["Batch", "Single", "Live", "History", "Log", "简体中文", "Choose a file", "Choose files"]
    places = [next(place for place, text in enumerate(seen) if name in text) for name in wanted]
    assert places == sorted(places)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visitors: Visitors, recordings: Recordings, scheme: str) -> None:
    visitor = visitors.come(color_scheme=scheme)
    page = visitors.open(context=visitor)
    drop(page, "batch-audio", recordings.speech)
    drop(page, "batch-video", recordings.clip, recordings.faceless)
    expect(rows(page)).to_have_count(2)
    page.get_by_text("Options").click()
    found = []
    for view in VIEWS:
        if view != "/":
            page.goto(visitors.stack.address + view)
            page.wait_for_timeout(1200)
        page.evaluate(AXE)
        answer = page.evaluate("axe.run({resultTypes: ['violations']})")
        found += [
            (view, each["id"], [node["html"][:120] for node in each["nodes"]])
            for each in answer["violations"]
            if each["impact"] in ("serious", "critical")
        ]
    assert found == [], "\n".join(map(str, found))
