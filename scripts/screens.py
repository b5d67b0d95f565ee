"""Pictures of every view of the page on a real stack: both languages, light and dark, wide and narrow."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.page_browser import NARROW, WIDE, drop, landscape, open_browser, rows, short_clip, start_batch, two_faces
from tests.running_stack import SAMPLES, RunningStack, running_stack

FOLDER = Path("outputs/screens")
_SETTLE_MS = 900


@dataclass(frozen=True, slots=True)
class Look:
    """One of the eight ways to see a view."""

    language: str
    scheme: str
    size: str

    @property
    def options(self) -> dict[str, Any]:
        """For a browser context."""
        return {
            "locale": "zh-CN" if self.language == "zh" else "en-US",
            "color_scheme": self.scheme,
            "viewport": WIDE if self.size == "wide" else NARROW,
            "device_scale_factor": 2 if self.size == "narrow" else 1,
        }


LOOKS = [Look(*each) for each in itertools.product(("en", "zh"), ("light", "dark"), ("wide", "narrow"))]


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, running_stack(Path(name)) as stack, open_browser() as browser:
        folder = Path(name)
        empty = browser.new_context().storage_state()
        _take_all(browser, stack, empty, {"empty-batch": ("/", None), "empty-history": ("/history", None)})
        visitor = browser.new_context(viewport=WIDE)
        page = visitor.new_page()
        page.goto(stack.address)
        job = _make_history(stack, page, folder)
        _put_together(stack, page, folder)
        _take_all(
            browser,
            stack,
            visitor.storage_state(),
            {
                "batch": ("/", None),
                "options": ("/", _unfold),
                "faces": ("/", _choose_face),
                "single": ("/single", None),
                "history": ("/history", None),
                "chosen": ("/history", _tick),
                "compare": (f"/compare/{job}", _play),
                "log": ("/log", None),
                "models": ("/models", None),
                "audit": ("/audit", None),
                "settings": ("/settings", None),
            },
        )
        page.goto(stack.address)
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/live")
        expect(page.locator(".job-row").filter(has_text="frames/s").first).to_be_visible(timeout=120_000)
        _take_all(browser, stack, visitor.storage_state(), {"live": ("/live", None)})


def _take_all(
    browser: Browser, stack: RunningStack, state: Any, views: dict[str, tuple[str, Callable[[Page], None] | None]]
) -> None:
    for look in LOOKS:
        with _tab(browser, look, state) as page:
            for name, (path, prepare) in views.items():
                page.goto(stack.address + path)
                expect(page.locator("h1")).to_be_visible()
                page.wait_for_timeout(_SETTLE_MS)
                if prepare is not None:
                    prepare(page)
                    page.wait_for_timeout(_SETTLE_MS)
                page.screenshot(path=FOLDER / f"{name}-{look.language}-{look.scheme}-{look.size}.png")
        sys.stdout.write(f"{look.language} {look.scheme} {look.size}: {', '.join(views)}\n")


@contextmanager
def _tab(browser: Browser, look: Look, state: Any) -> Iterator[Page]:
    kept = {**state, "cookies": [each for each in state["cookies"] if each["name"] != "chorus_language"]}
    context = browser.new_context(storage_state=kept, **look.options)
    yield context.new_page()
    context.close()


def _make_history(stack: RunningStack, page: Page, folder: Path) -> str:
    """Two finished videos and one that failed; returns the job of a finished one."""
    speech = SAMPLES / "announcement_en.wav"
    clips = [short_clip(folder / f"{name}.mp4", frames=60) for name in ("Anna Meier", "Ben Okafor")]
    start_batch(page, speech, *clips, landscape(folder / "Landscape.jpg"))
    expect(page.get_by_text("2 of 3 ready · 1 failed")).to_be_visible(timeout=240_000)
    with stack.http as http:
        jobs = http.get("/v1/jobs", params={"state": "succeeded"}).json()["items"]
    return str(jobs[0]["id"])


def _put_together(stack: RunningStack, page: Page, folder: Path) -> None:
    """A batch and a single video that are ready to start."""
    speech = SAMPLES / "announcement_en.wav"
    page.goto(stack.address)
    drop(page, "batch-audio", speech)
    videos = [
        SAMPLES / "astronaut.mp4",
        two_faces(folder / "Interview with two people.mp4"),
        SAMPLES / "portrait.jpg",
        landscape(folder / "Town hall.jpg"),
    ]
    for number, video in enumerate(videos, 1):
        drop(page, "batch-video", video)
        expect(rows(page)).to_have_count(number)
    expect(page.get_by_text("Looking for faces")).to_have_count(0, timeout=120_000)
    page.goto(stack.address + "/single")
    drop(page, "single-audio", speech)
    drop(page, "single-video", SAMPLES / "astronaut.mp4")
    expect(page.get_by_text("Face found")).to_be_visible(timeout=60_000)


def _unfold(page: Page) -> None:
    page.locator("summary").click()
    page.locator(".options").scroll_into_view_if_needed()
    page.mouse.wheel(0, 600)


def _choose_face(page: Page) -> None:
    page.locator(".video-row .button-plain:visible").first.click()


def _tick(page: Page) -> None:
    for number in (0, 1):
        page.locator(".history-row .q-checkbox").nth(number).click()


def _play(page: Page) -> None:
    page.locator(".player-play").click()
    page.wait_for_timeout(1500)
    page.locator(".player-play").click()


if __name__ == "__main__":
    main()
