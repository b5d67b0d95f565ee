"""What the page tells about videos before anything is rendered, on the real stack; and its log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from tests.e2e.face_variants import encode, face_frames, picture_of
from tests.running_stack import RunningStack


def looked_into(stack: RunningStack, path: Path) -> dict[str, Any]:
    """The ended preflight of a file."""
    address = f"/v1/media/{stack.media_id(path)}/preflight"
    with stack.http as http:
        http.post(address)
        end = time.monotonic() + 90
        while (now := dict(http.get(address).json()))["state"] in ("waiting", "running"):
            assert time.monotonic() < end, now
            time.sleep(0.2)
    return now


def twins(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The same person twice: on the left, and smaller on the right."""
    for frame in frames:
        picture = frame.to_ndarray(format="rgb24")
        small = frame.reformat(width=480, height=270, format="rgb24").to_ndarray()
        yield picture_of(np.hstack([picture, np.pad(small, ((45, 45), (0, 0), (0, 0)))]))


def test_one_face_needs_no_choice(stack: RunningStack, tmp_path: Path) -> None:
    found = looked_into(stack, encode(tmp_path / "one.mp4", face_frames(25)))["findings"]
    assert (found["verdict"], found["cautions"]) == ("face", [])
    left, top, right, bottom = found["faces"][0]["box"]
    assert 0.3 < left < right < 0.7
    assert 0.2 < top < bottom < 0.8


def test_two_people_are_a_choice(stack: RunningStack, tmp_path: Path) -> None:
    found = looked_into(stack, encode(tmp_path / "two.mp4", twins(face_frames(25))))["findings"]
    assert found["verdict"] == "several_faces"
    first, second = found["faces"]
    assert (first["rank"], second["rank"]) == (0, 1)
    assert first["box"][2] < 0.6 < second["box"][0]


def test_a_video_without_a_face_is_told_apart(stack: RunningStack, tmp_path: Path) -> None:
    grey = (picture_of(np.full((360, 640, 3), 90, np.uint8)) for _ in range(10))
    ended = looked_into(stack, encode(tmp_path / "grey.mp4", grey))
    assert (ended["state"], ended["findings"]["verdict"]) == ("done", "no_face")


def test_the_log_of_all_processes_is_there(stack: RunningStack) -> None:
    with stack.http as http:
        lines = http.get("/v1/log").text
        follow = http.get("/v1/log", params={"lines": 3}).text.splitlines()
    assert {"api", "preprocess", "worker"} <= {line.split("|")[0].strip() for line in lines.splitlines()}
    assert len(follow) == 3


@pytest.mark.parametrize("host", ["evil.example", "chorus.local:7860"])
def test_a_page_elsewhere_that_points_its_name_here_learns_nothing(stack: RunningStack, host: str) -> None:
    assert httpx.get(f"{stack.address}/v1/jobs", headers={"Host": host}).status_code == 403
