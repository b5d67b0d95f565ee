"""Two api processes behind a real proxy: a visitor who meets now one, now the other, loses nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page.conftest import Recordings
from tests.gateway_stack import wait_until
from tests.page_browser import Visitors, drop, rows
from tests.replicas import STICKY_COOKIE, Replica, proxy, second_api, started_at
from tests.running_stack import RunningStack

pytestmark = pytest.mark.timeout(300)
TUS = {"Tus-Resumable": "1.0.0"}
ROUNDS = 20


@pytest.fixture(scope="module")
def replica(page_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    with second_api(page_stack, tmp_path_factory.mktemp("second")) as running:
        yield running


@pytest.fixture(scope="module")
def spread(
    page_stack: RunningStack, replica: Replica, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningStack]:
    """The stack as it looks through the proxy."""
    with proxy([page_stack.address, replica.address], tmp_path_factory.mktemp("proxy")) as address:
        yield replace(page_stack, address=address)


@pytest.fixture
def wanderers(spread: RunningStack, browser: Browser) -> Iterator[Visitors]:
    group = Visitors(browser, spread)
    yield group
    group.leave()


def uploads_of(address: str) -> float:
    """How many uploads one api process has received."""
    for line in httpx.get(f"{address}/metrics", trust_env=False).text.splitlines():
        if line.startswith("chorus_uploads_total"):
            return float(line.split()[1])
    return 0.0


def test_uploads_preflights_and_pages_meet_both_replicas_and_lose_nothing(
    page_stack: RunningStack, replica: Replica, spread: RunningStack, recordings: Recordings
) -> None:
    content = recordings.clip.read_bytes()
    before = [uploads_of(each) for each in (page_stack.address, replica.address)]
    with httpx.Client(base_url=spread.address, trust_env=False, timeout=60) as visitor:
        visitor.get("/", headers={"Accept": "text/html"})
        for number in range(ROUNDS):
            media_id = _upload_in_pieces(visitor, f"wandering {number}.mp4", content)
            assert visitor.get(f"/v1/media/{media_id}/content").content == content
            assert visitor.post(f"/v1/media/{media_id}/preflight").status_code == 202
            found = wait_until(lambda: _settled(visitor, media_id), 60)  # noqa: B023  # called before the next round
            assert found["findings"]["verdict"] == "face"
            visitor.cookies.delete(STICKY_COOKIE)
            shown = visitor.get("/", headers={"Accept": "text/html"})
            assert (shown.status_code, "Chorus" in shown.text) == (200, True)
    after = [uploads_of(each) for each in (page_stack.address, replica.address)]
    received = [now - then for now, then in zip(after, before, strict=True)]
    assert sum(received) == ROUNDS
    assert min(received) > 0, "the proxy did not spread the requests"


def _settled(visitor: httpx.Client, media_id: str) -> dict[str, dict[str, str]] | None:
    now: dict[str, dict[str, str]] = visitor.get(f"/v1/media/{media_id}/preflight").json()
    return now if now["state"] not in ("waiting", "running") else None  # type: ignore[comparison-overlap]


def _upload_in_pieces(visitor: httpx.Client, name: str, content: bytes) -> str:
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    headers = {**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    address = visitor.post("/v1/uploads", headers=headers).headers["location"]
    third = len(content) // 3 + 1
    for offset in range(0, len(content), third):
        piece = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        answer = visitor.patch(address, headers=piece, content=content[offset : offset + third])
        assert answer.status_code == 204, answer.text
    return str(answer.headers["chorus-media-id"])


def test_a_page_that_is_reloaded_on_the_other_replica_shows_the_same(
    wanderers: Visitors, recordings: Recordings
) -> None:
    page = wanderers.open()
    drop(page, "batch-audio", recordings.speech)
    drop(page, "batch-video", recordings.clip, recordings.photo)
    expect(rows(page)).to_have_count(2)
    for _ in range(4):
        page.context.clear_cookies(name=STICKY_COOKIE)
        _reload(page)
        expect(rows(page)).to_have_count(2)
        expect(page.get_by_text("Welcome speech.wav").first).to_be_visible()
    assert wanderers.troubles == []


def test_a_page_whose_replica_dies_goes_on_with_the_other(
    wanderers: Visitors, replica: Replica, recordings: Recordings
) -> None:
    page = wanderers.open()
    drop(page, "batch-video", recordings.clip)
    expect(rows(page)).to_have_count(1)
    mortal = started_at(httpx.get(f"{replica.address}/metrics", trust_env=False).text)
    for _ in range(10):
        if started_at(page.request.get(f"{wanderers.stack.address}/metrics").text()) == mortal:
            break
        page.context.clear_cookies(name=STICKY_COOKIE)
        _reload(page)
    page.evaluate("window.before = true")
    replica.process.kill()
    # The browser finds nobody who knows its page, and loads it anew.
    page.wait_for_function("window.before === undefined && window.did_handshake", timeout=60_000)
    expect(rows(page)).to_have_count(1)


def _reload(page: Page) -> None:
    page.reload()
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_function("window.did_handshake")
