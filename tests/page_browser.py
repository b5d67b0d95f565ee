"""A real browser on the page of a running stack; every tab is watched for errors and for requests to other hosts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.e2e.face_variants import encode, face_frames
from tests.running_stack import RunningStack

_PATIENCE_MS = 30_000
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 740}


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium")
    assert path is not None, "install Chromium first: apt-get install chromium (make browser)"
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()


@dataclass(slots=True)
class Visitors:
    """Opens the page as one visitor or several, and remembers what went wrong in any of their tabs."""

    browser: Browser
    stack: RunningStack
    troubles: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def come(self, **options: Any) -> BrowserContext:
        """A visitor who was never here."""
        context = self.browser.new_context(**{"viewport": WIDE, "locale": "en-US", **options})
        context.set_default_timeout(_PATIENCE_MS)
        self.contexts.append(context)
        return context

    def open(self, path: str = "/", context: BrowserContext | None = None, **options: Any) -> Page:
        """A tab that shows a view."""
        page = (context or self.come(**options)).new_page()
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self._check(request.url))
        page.goto(self.stack.address + path)
        expect(page.locator("h1")).to_be_visible()
        # Before the socket is there, a click is lost.
        page.wait_for_function("window.did_handshake")
        return page

    def leave(self) -> None:
        """Close every tab."""
        for context in self.contexts:
            context.close()

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error":
            self.troubles.append(text)

    def _check(self, url: str) -> None:
        if not url.startswith((self.stack.address, self.stack.address.replace("http", "ws"), "data:", "blob:")):
            self.troubles.append(f"a request to another host: {url}")


def drop(page: Page, zone: str, *paths: Path) -> None:
    """Choose files as with the dialog of a drop zone."""
    page.locator(f"input[data-zone={zone}]").set_input_files(list(paths))


def rows(page: Page) -> Locator:
    """The videos of the batch that is put together."""
    return page.locator(".video-row")


def settle(page: Page) -> None:
    """Wait until the fonts are there and nothing slides or fades any more; what turns for ever may turn."""
    page.wait_for_function(
        """document.fonts.status === "loaded" && document.getAnimations().every((each) =>
            each.playState !== "running" || each.effect.getComputedTiming().iterations === Infinity)"""
    )


def start_batch(page: Page, audio: Path, *videos: Path) -> None:
    """From an empty batch view to the live view."""
    drop(page, "batch-audio", audio)
    drop(page, "batch-video", *videos)
    expect(rows(page)).to_have_count(len(videos))
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/live")


def short_clip(path: Path, *, frames: int = 30) -> Path:
    """The first pictures of the sample with a face; every picture has one."""
    return encode(path, face_frames(frames))


def two_faces(path: Path) -> Path:
    """The sample's face twice, beside each other."""

    def doubled() -> Iterator[av.VideoFrame]:
        for frame in face_frames(50, 480, 540):
            picture: NDArray[np.uint8] = frame.to_ndarray(format="rgb24").astype(np.uint8)
            yield av.VideoFrame.from_ndarray(np.hstack([picture, picture[:, ::-1]]), format="rgb24")

    return encode(path, doubled())


def landscape(path: Path) -> Path:
    """A photo without a face: a gradient."""
    across = np.linspace(60, 200, 640)[None, :] + np.linspace(0, 40, 480)[:, None]
    cv2.imwrite(str(path), np.stack([across, across * 0.8, across * 0.6], axis=-1).astype(np.uint8))
    return path
