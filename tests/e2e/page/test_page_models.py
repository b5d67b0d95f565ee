"""Admins look at the models, import a file, read why one is refused, and remove one, on the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.page_browser import Visitors, drop
from tests.painting_net import write_painting_net

pytestmark = pytest.mark.timeout(300)
_WORK_MS = 60_000


def test_a_file_becomes_a_model_that_can_be_chosen_and_removed(visitors: Visitors, tmp_path: Path) -> None:
    page = visitors.open("/settings")
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    expect(page.locator(".model-row")).to_have_count(1)
    begin = page.get_by_role("button", name="Import", exact=True)
    expect(begin).to_be_disabled()
    drop(page, "import-model", write_painting_net(tmp_path / "my net.onnx"))
    # Not its name, which the browser shows as soon as it was chosen: it has arrived.
    expect(begin).to_be_enabled()
    # Another tab, or the same after a reload, has the upload as well.
    page.reload()
    page.wait_for_function("window.did_handshake")
    expect(begin).to_be_enabled()
    expect(page.get_by_text("my net.onnx")).to_be_visible()
    page.get_by_label("Name").fill("painted")
    begin.click()
    expect(page.locator(".import-row .chip-good").first).to_be_visible(timeout=_WORK_MS)
    row = page.locator(".model-row", has_text="painted")
    expect(row).to_contain_text("Research only")
    expect(row).to_contain_text("ONNX Runtime")
    with visitors.stack.http as http:
        (family,) = [each for each in http.get("/v1/families").json() if each["name"] == "painted"]
    assert family["licence"] == "research only"

    page.get_by_role("button", name="Remove painted").click()
    page.get_by_role("button", name="Cancel").click()
    expect(row).to_be_visible()
    page.get_by_role("button", name="Remove painted").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(row).to_have_count(0)


def test_why_a_file_is_refused_is_read_in_the_visitors_language(visitors: Visitors, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_text("These are the weights that you are looking for, honestly. " * 5)
    page = visitors.open("/models", locale="zh-CN")
    drop(page, "import-model", tmp_path / "weights.pth")
    page.get_by_role("button", name="导入", exact=True).click()
    refused = page.locator(".import-row").first
    expect(refused.locator(".bad")).to_contain_text("“weights.pth”不是 Chorus 认识的权重文件", timeout=_WORK_MS)
    expect(refused).to_contain_text("未能导入")
