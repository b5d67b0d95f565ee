"""From drop to ZIP: one recording, three videos of which one is bad."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.page.conftest import Recordings
from tests.page_browser import Visitors, drop, rows, start_batch, two_faces
from tests.running_stack import SAMPLES

pytestmark = pytest.mark.timeout(300)


def test_a_batch_of_three_with_one_bad_file_from_drop_to_zip(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    drop(page, "batch-audio", recordings.speech)
    drop(page, "batch-video", recordings.clip, recordings.faceless, recordings.photo)
    expect(rows(page)).to_have_count(3)
    expect(page.locator(".video-row", has_text="Landscape")).to_contain_text("No face found", timeout=60_000)
    expect(page.locator(".video-row", has_text="Anna")).to_contain_text("Face found", timeout=60_000)
    expect(page.get_by_text("It would fail; the other videos would not be affected")).to_be_visible()
    page.get_by_role("button", name="Start 3 videos").click()

    page.wait_for_url("**/live")
    expect(page.get_by_text("2 of 3 ready · 1 failed")).to_be_visible(timeout=90_000)
    failed = page.locator(".job-row", has_text="Landscape")
    expect(failed).to_contain_text("No face was found")
    page.get_by_role("button", name="简体中文").click()
    expect(failed).to_contain_text("在“Landscape.jpg”中没有找到人脸。")
    page.get_by_role("button", name="English").click()
    expect(failed).to_contain_text("No face was found")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert sorted(archive.namelist()) == ["Anna Meier - Welcome speech.mp4", "Ben Okafor - Welcome speech.mp4"]

    page.get_by_role("link", name="History").click()
    expect(page.locator(".history-row", has_text="Anna Meier").first).to_contain_text("Ready")


def test_the_list_is_put_in_order_and_cleared(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    drop(page, "batch-video", recordings.clip, recordings.photo, recordings.faceless)
    expect(rows(page)).to_have_count(3)
    names = rows(page).locator(".media-name")
    first = names.nth(0).inner_text()
    page.get_by_role("button", name=f"More for {first}").click()
    page.get_by_text("Move down").click()
    expect(names.nth(1)).to_have_text(first)
    page.get_by_role("button", name=f"Remove {first}").click()
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="Clear all").click()
    page.get_by_role("dialog").get_by_role("button", name="Clear all").click()
    expect(rows(page)).to_have_count(0)
    expect(page.get_by_text("First, add a recording.")).to_be_visible()


def test_a_file_that_does_not_fit_is_refused_in_words(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    drop(page, "batch-video", recordings.speech)
    expect(page.get_by_text("This kind of file does not fit here.")).to_be_visible()
    page.get_by_role("button", name="Stop the upload").click()
    expect(page.get_by_text("This kind of file does not fit here.")).to_be_hidden()


def test_files_dropped_anywhere_find_their_place(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    expect(page.locator("input[data-zone=batch-video]")).to_be_attached()
    files = [{"name": path.name, "bytes": list(path.read_bytes())} for path in (recordings.speech, recordings.faceless)]
    page.evaluate(
        """files => {
            const transfer = new DataTransfer();
            for (const file of files) transfer.items.add(new File([new Uint8Array(file.bytes)], file.name));
            document.querySelector("h1").dispatchEvent(new DragEvent("drop", {bubbles: true, dataTransfer: transfer}));
        }""",
        files,
    )
    expect(page.locator(".audio-row")).to_contain_text("Welcome speech.wav")
    expect(rows(page)).to_contain_text("Landscape.jpg")


def test_options_are_kept(visitors: Visitors, recordings: Recordings) -> None:
    page = visitors.open()
    page.get_by_text("Options").click()
    page.get_by_role("switch", name="Photos come alive").click()
    expect(page.get_by_text("1 change")).to_be_visible()
    page.get_by_label("Priority").click()
    page.get_by_role("option", name="High: it is urgent").click()
    expect(page.get_by_text("2 changes")).to_be_visible()
    page.reload()
    expect(page.get_by_text("2 changes")).to_be_visible()
    page.get_by_text("Options").click()
    expect(page.get_by_text("High: it is urgent")).to_be_visible()


def test_the_face_that_speaks_is_chosen(visitors: Visitors, tmp_path: Path) -> None:
    page = visitors.open()
    drop(page, "batch-video", two_faces(tmp_path / "Interview.mp4"))
    page.get_by_role("button", name="Choose who speaks").click(timeout=60_000)
    page.get_by_role("group", name="Who speaks?").get_by_text("Face 2").click()
    expect(rows(page)).to_contain_text("Face 2 speaks")
    page.reload()
    expect(rows(page)).to_contain_text("Face 2 speaks")


def test_a_reload_and_a_second_tab_lose_nothing(visitors: Visitors, recordings: Recordings) -> None:
    visitor = visitors.come()
    page = visitors.open(context=visitor)
    drop(page, "batch-audio", recordings.speech)
    drop(page, "batch-video", recordings.clip)
    expect(rows(page)).to_have_count(1)
    second = visitors.open(context=visitor)
    expect(rows(second)).to_contain_text("Anna Meier.mp4")
    drop(second, "batch-video", recordings.photo)
    expect(rows(page)).to_have_count(2)
    page.reload()
    expect(page.locator(".audio-row")).to_contain_text("Welcome speech.wav")
    expect(rows(page)).to_have_count(2)


def test_a_batch_goes_on_without_its_tab_and_is_there_after_a_reload(
    visitors: Visitors, recordings: Recordings
) -> None:
    visitor = visitors.come()
    page = visitors.open(context=visitor)
    start_batch(page, SAMPLES / "announcement_en.wav", recordings.slow)
    expect(page.locator(".job-row")).to_contain_text("Long interview")
    page.reload()
    expect(page.locator(".job-row")).to_contain_text("Long interview")
    page.close()
    page = visitors.open("/live", context=visitor)
    expect(page.get_by_text("1 of 1 ready")).to_be_visible(timeout=90_000)
