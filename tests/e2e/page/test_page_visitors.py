"""Who looks: two people, two languages, wide and narrow, with a keyboard, with a screen reader."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.conftest import Recordings
from tests.page_browser import NARROW, Visitors, drop, rows, settle, start_batch, two_faces

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
VIEWS = {
    "/": ".drop-zone",
    "/single": ".drop-zone",
    "/live": ".empty:visible, .batch-card",
    "/history": ".empty, .history-row",
    "/log": "[role=log] div",
    "/settings": ".facts >> nth=1 >> dd",
}
"""View -> what is there when it has come"""
pytestmark = pytest.mark.timeout(300)


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
    page.wait_for_function("document.cookie.includes('chorus_language=en')")
    page.reload()
    expect(page.get_by_role("heading", name="New batch")).to_be_visible()


def test_why_an_upload_was_refused_is_told_in_the_visitors_language(visitors: Visitors, tmp_path: Path) -> None:
    notes = tmp_path / "notes.mp4"
    notes.write_text("no video at all\n" * 9)
    page = visitors.open(locale="zh-CN")
    drop(page, "batch-video", notes)
    expect(page.locator(".upload-refused")).to_contain_text("“notes.mp4”不是视频、音频或图片文件。")
    # The browser itself writes every refusal to its console.
    assert "422" in visitors.troubles.pop()


@pytest.mark.parametrize("view", list(VIEWS))
def test_nothing_is_wider_than_360_pixels(visitors: Visitors, view: str) -> None:
    page = visitors.open(view, viewport=NARROW)
    expect(page.locator(VIEWS[view]).first).to_be_visible()
    settle(page)
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
    job = visitors.stack.create_batch(recordings.speech, [recordings.clip])["jobs"][0]
    visitors.stack.wait_for(job["id"])
    page = visitors.open(color_scheme=scheme)
    drop(page, "batch-audio", recordings.speech)
    drop(page, "batch-video", recordings.clip, recordings.faceless)
    expect(page.get_by_role("button", name="Start 2 videos")).to_be_enabled()
    expect(page.get_by_text("It would fail; the other videos would not be affected")).to_be_visible(timeout=60_000)
    page.get_by_text("Options").click()
    found = _serious(page, "/")
    for view, shown in {**VIEWS, f"/compare/{job['id']}": ".comparison"}.items():
        if view != "/":
            page.goto(visitors.stack.address + view)
            expect(page.locator(shown).first).to_be_visible()
            found += _serious(page, view)
    assert found == [], "\n".join(map(str, found))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_window(visitors: Visitors, tmp_path: Path, scheme: str) -> None:
    page = visitors.open(color_scheme=scheme)
    # The veil lies behind the window; axe takes it to lie between the window and its buttons.
    page.add_style_tag(content=".q-dialog__backdrop { background: transparent }")
    drop(page, "batch-video", two_faces(tmp_path / "Interview.mp4"))
    found = []
    for opener in ("Choose who speaks", "Play Interview.mp4", "Clear all"):
        page.get_by_role("button", name=opener).click(timeout=60_000)
        window = page.get_by_role("dialog")
        expect(window.get_by_role("heading")).to_be_visible()
        found += _serious(page, opener)
        page.keyboard.press("Escape")
        expect(window).to_be_hidden()
    assert found == [], "\n".join(map(str, found))


def _serious(page: Page, where: str) -> list[tuple[str, str, list[str]]]:
    """What axe finds in the page as it is now: where, the rule, the elements."""
    settle(page)
    page.evaluate(AXE)
    answer = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        (where, each["id"], [node["html"][:120] for node in each["nodes"]])
        for each in answer["violations"]
        if each["impact"] in ("serious", "critical")
    ]
