"""The page in Firefox: from two files to an output that plays beside its source, and to the file on disk."""

from __future__ import annotations

import time
from pathlib import Path

import av
import pytest

from tests.e2e.page.conftest import Recordings
from tests.firefox import Firefox, open_firefox
from tests.running_stack import RunningStack

pytestmark = pytest.mark.timeout(300)


def press(firefox: Firefox, words: str) -> None:
    """Click on the first button or link that shows these words or is called so, once it is there."""
    firefox.wait_for(
        """(words) => {
            const named = (each) => `${each.innerText} ${each.ariaLabel}`.includes(words) && !each.disabled;
            const found = [...document.querySelectorAll("button, a")].find(named);
            found?.click();
            return Boolean(found);
        }""",
        words,
    )


def downloaded(folder: Path) -> Path:
    """The video in the folder, once all of it is there."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        files = list(folder.glob("*.mp4"))
        if files and not list(folder.glob("*.part")) and files[0].stat().st_size:
            return files[0]
        time.sleep(0.1)
    raise AssertionError(f"no download: {list(folder.iterdir())}")


def test_a_job_is_made_watched_and_downloaded(tmp_path: Path, page_stack: RunningStack, recordings: Recordings) -> None:
    with open_firefox(downloads=tmp_path) as firefox:
        firefox.set_viewport(1280, 900)
        firefox.goto(page_stack.address + "/single")
        firefox.wait_for("() => window.did_handshake")
        firefox.choose_files("input[data-zone=single-audio]", recordings.speech)
        firefox.choose_files("input[data-zone=single-video]", recordings.clip)
        firefox.wait_for("() => document.querySelector('audio')?.duration > 0.9")
        firefox.wait_for("() => document.querySelector('section video')?.duration > 1")
        press(firefox, "Start")
        firefox.wait_for("() => document.querySelectorAll('.comparison video').length === 2", patience=90)
        firefox.wait_for("() => [...document.querySelectorAll('.comparison video')].every((v) => v.currentTime > 0.3)")
        assert firefox.call("() => document.querySelectorAll('.comparison video')[1].videoWidth") > 0

        firefox.goto(page_stack.address + "/history")
        firefox.wait_for("() => window.did_handshake")
        press(firefox, "Play Anna Meier")
        firefox.wait_for("() => document.querySelector('.comparison video')?.readyState > 1")
        firefox.screenshot(tmp_path / "compare.png")
        press(firefox, "Download")
        with av.open(downloaded(tmp_path)) as container:
            assert sum(1 for _ in container.decode(video=0)) > 20
        assert firefox.troubles == []
