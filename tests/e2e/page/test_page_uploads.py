"""Large files, and connections that break."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.conftest import Recordings
from tests.page_browser import Visitors, drop, rows

pytestmark = pytest.mark.timeout(300)
_MEGABYTE = 1 << 20
# After word of an upload, the tab's next messages come one and a half seconds late.
_SLOW_LINE: Final = """
    const send = WebSocket.prototype.send;
    let free = Promise.resolve();
    WebSocket.prototype.send = function (message) {
        free = free.then(() => {
            send.call(this, message);
            if (message.includes("media_id")) return new Promise((resolve) => setTimeout(resolve, 1500));
        });
    };
"""
# The first word of every upload is lost, and every number of uploads that is said for the first time.
_LOSING_LINE: Final = """
    const send = WebSocket.prototype.send;
    const lost = new Set();
    WebSocket.prototype.send = function (message) {
        const word = /media_id\\W+\\w+|"args":\\["\\d+"\\]/.exec(message)?.[0];
        if (!word || lost.has(word)) return send.call(this, message);
        lost.add(word);
    };
"""


def _padded(clip: Path, target: Path, megabytes: int) -> Path:
    """The clip, and behind it a box that players skip."""
    size = megabytes * _MEGABYTE
    target.write_bytes(clip.read_bytes() + size.to_bytes(4, "big") + b"free")
    with target.open("r+b") as file:
        file.truncate(target.stat().st_size + size - 8)
    return target


class _Wire:
    """The connection of one tab."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Network.enable")

    def slow(self, megabytes: float, *, cut: bool = False) -> None:
        """Limit what the tab can send, megabytes a second; or cut it off."""
        limits = {"latency": 1, "downloadThroughput": -1, "uploadThroughput": megabytes * _MEGABYTE}
        self._session.send("Network.emulateNetworkConditions", {"offline": cut, **limits})


def _api(visitors: Visitors) -> psutil.Process:
    return visitors.stack.processes("services.gateway")[0]


def test_300_megabytes_leave_the_memory_of_the_api_flat(
    visitors: Visitors, recordings: Recordings, tmp_path: Path
) -> None:
    big = _padded(recordings.clip, tmp_path / "Big.mp4", 300)
    page = visitors.open()
    api = _api(visitors)
    before = peak = api.memory_info().rss
    drop(page, "batch-video", big)
    end = time.monotonic() + 180
    while rows(page).count() == 0 and time.monotonic() < end:
        peak = max(peak, api.memory_info().rss)
        page.wait_for_timeout(50)
    expect(rows(page)).to_contain_text("Big.mp4")
    assert (peak - before) / _MEGABYTE < 64


def test_an_upload_goes_on_when_the_connection_comes_back(
    visitors: Visitors, recordings: Recordings, tmp_path: Path
) -> None:
    page = visitors.open()
    wire = _Wire(page)
    wire.slow(3)
    drop(page, "batch-video", _padded(recordings.clip, tmp_path / "Train.mp4", 24))
    page.wait_for_function("document.querySelector('.upload-sending progress')?.value > 9e6")
    wire.slow(3, cut=True)
    expect(page.get_by_text("The connection is gone")).to_be_visible()
    wire.slow(50)
    expect(rows(page)).to_contain_text("Train.mp4", timeout=60_000)
    visitors.troubles[:] = [each for each in visitors.troubles if "net::ERR" not in each]


def test_an_upload_goes_on_after_a_reload_when_the_file_is_chosen_again(
    visitors: Visitors, recordings: Recordings, tmp_path: Path
) -> None:
    file = _padded(recordings.clip, tmp_path / "Again.mp4", 24)
    page = visitors.open()
    wire = _Wire(page)
    wire.slow(3)
    drop(page, "batch-video", file)
    page.wait_for_function("document.querySelector('.upload-sending progress')?.value > 9e6")
    page.reload()
    expect(page.get_by_text("Choose the same file again to go on from there")).to_be_visible()
    first: list[int] = []
    wire.slow(50)
    page.on("request", lambda r: first.append(int(r.headers["upload-offset"])) if r.method == "PATCH" else None)
    drop(page, "batch-video", file)
    expect(rows(page)).to_contain_text("Again.mp4", timeout=60_000)
    assert first[0] >= 8 * _MEGABYTE


def test_uploads_go_on_while_another_view_is_shown(visitors: Visitors, recordings: Recordings, tmp_path: Path) -> None:
    page = visitors.open()
    wire = _Wire(page)
    wire.slow(2)
    drop(page, "batch-video", _padded(recordings.clip, tmp_path / "Meanwhile.mp4", 12))
    with page.expect_response(lambda answer: answer.url.endswith("/media")):
        page.get_by_role("link", name="History").click()
        expect(page.get_by_role("heading", name="History")).to_be_visible()
        wire.slow(50)
    page.get_by_role("link", name="Batch", exact=True).click()
    expect(rows(page)).to_contain_text("Meanwhile.mp4")


@pytest.mark.parametrize("line", [_SLOW_LINE, _LOSING_LINE], ids=["slow", "losing"])
@pytest.mark.parametrize(("path", "kind"), [("/", "batch"), ("/single", "single")])
def test_the_start_never_waits_for_a_late_or_lost_word(
    visitors: Visitors, recordings: Recordings, line: str, path: str, kind: str
) -> None:
    visitor = visitors.come()
    visitor.add_init_script(line)
    page = visitors.open(path, context=visitor)
    start = page.get_by_role("button", name="Start")
    expect(start).to_be_disabled()
    drop(page, f"{kind}-audio", recordings.speech)
    drop(page, f"{kind}-video", recordings.clip)
    expect(page.locator("audio")).to_be_attached()
    expect(rows(page)).to_have_count(1)
    expect(start).to_be_enabled()
