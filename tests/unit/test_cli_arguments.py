"""What the user typed, and where the outputs go."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.accepted_files import PICTURE_SUFFIXES
from services.cli.display import status_text
from services.cli.main import spread_videos
from services.cli.run import RunRequest, left_out, plan_outputs


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        (["run", "--video", "a", "b", "--crf", "20"], ["run", "--video", "a", "--video", "b", "--crf", "20"]),
        (["run", "--video", "a", "--video", "b"], ["run", "--video", "a", "--video", "b"]),
        (["run", "--video=a", "b", "c"], ["run", "--video=a", "--video", "b", "--video", "c"]),
        (["run", "--audio", "x", "--video"], ["run", "--audio", "x", "--video"]),
        (["up", "--port", "80"], ["up", "--port", "80"]),
    ],
)
def test_videos_may_follow_each_other(typed: list[str], understood: list[str]) -> None:
    assert spread_videos(typed) == understood


def _outputs(videos: list[Path], output_dir: Path) -> list[str]:
    request = RunRequest(audio=Path("speech.wav"), videos=tuple(videos), output_dir=output_dir, options={})
    return [item.output.name for item in plan_outputs(request)]


def test_outputs_are_named_after_their_videos_and_never_twice() -> None:
    videos = [Path("a/ann.mov"), Path("b/ann.mp4"), Path("bob.png")]
    assert _outputs(videos, Path("out")) == ["ann.mp4", "ann-2.mp4", "bob.mp4"]


def test_no_output_replaces_a_source(tmp_path: Path) -> None:
    assert _outputs([tmp_path / "ann.mp4"], tmp_path) == ["ann-2.mp4"]


def test_a_folder_means_the_videos_and_photos_in_it(tmp_path: Path) -> None:
    for name in ("b.MP4", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert _outputs([tmp_path], Path("out")) == ["a.mp4", "b.mp4"]


def test_an_empty_folder_is_kept_so_that_it_is_reported(tmp_path: Path) -> None:
    assert len(_outputs([tmp_path], Path("out"))) == 1


def test_the_status_says_what_is_known_and_no_more() -> None:
    progress = {"stage": "rendering", "frames_done": 40, "frames_total": 250, "frames_per_second": 31.4}
    assert status_text(None, "queued") == "queued"
    assert status_text(progress | {"seconds_left": 66.7}, "running") == (
        "rendering, 40/250 frames, 31 frames/s, 1:07 left"
    )
    starting = {
        "stage": "starting",
        "frames_done": 0,
        "frames_total": 0,
        "frames_per_second": 0.0,
        "seconds_left": None,
    }
    assert status_text(starting, "running") == "starting"


def test_a_folder_gives_every_kind_of_file_that_is_accepted_and_names_the_rest(tmp_path: Path) -> None:
    accepted = [tmp_path / f"clip{number:02}{suffix}" for number, suffix in enumerate(PICTURE_SUFFIXES)]
    for path in (*accepted, tmp_path / "LOUD.MPEG", tmp_path / "notes.txt", tmp_path / ".DS_Store"):
        path.touch()
    assert len(_outputs([tmp_path], tmp_path / "out")) == len(PICTURE_SUFFIXES) + 1
    assert left_out([tmp_path]) == [tmp_path / "notes.txt"]
