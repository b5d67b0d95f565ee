"""How preprocess looks for faces, as its callers see it: what it finds, its progress, and what breaks it off."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path
from socket import socket

import pytest

from services.errors import ChorusError, ErrorKind
from services.preprocess.look import LookClient
from services.preprocess.summary import AnalysisProgress, FirstLook, VideoAnalysis
from tests.integration.test_preprocess_service import models, pictures, probes, service
from tests.preprocess_callers import Pictures, Service, black, video

# Fixtures, which pytest finds by their names here.
__all__ = ["models", "pictures", "probes", "service"]


def test_analysis_of_a_clip(service: Service, pictures: Pictures, tmp_path: Path) -> None:
    analysis = service.analyse(service.put(video(tmp_path / "clip.mp4", pictures)))
    assert (analysis.frames, analysis.frame_rate) == (30, Fraction(25))
    assert (analysis.width, analysis.height, analysis.frames_with_face) == (640, 360, 30)
    (track,) = analysis.tracks
    assert (track.first_frame, track.last_frame, track.shot, track.rank) == (0, 29, 0, 0)
    assert 70 < track.eye_distance < 100
    left, top, right, bottom = track.box
    assert 200 < left < right < 420
    assert 60 < top < bottom < 280


def test_too_long_a_video_is_refused(service: Service, tmp_path: Path) -> None:
    key = service.put(video(tmp_path / "long.mp4", black(61 * 25)))
    with pytest.raises(ChorusError, match="limit is 1") as caught:
        service.analyse(key)
    assert caught.value.kind is ErrorKind.TOO_LARGE


def test_two_requests_share_one_analysis(service: Service, pictures: Pictures, tmp_path: Path) -> None:
    service.analyse(service.put(video(tmp_path / "alone.mp4", pictures)))
    alone, service.models.calls = service.models.calls, 0
    service.models.wait_seconds = 0.02
    key = service.put(video(tmp_path / "shared.mp4", pictures))
    found: list[VideoAnalysis] = []
    threads = [threading.Thread(target=lambda: found.append(service.analyse(key))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 3
    assert found[0] == found[1] == found[2]
    assert service.models.calls == alone


def test_abandoned_analysis_stops_and_leaves_nothing(service: Service, pictures: Pictures, tmp_path: Path) -> None:
    service.models.wait_seconds = 0.1
    key = service.put(video(tmp_path / "clip.mp4", pictures))
    progress = service.look.analyse(key)
    assert isinstance(next(progress), AnalysisProgress)
    assert list(service.scratch.iterdir())
    progress.close()
    end = time.monotonic() + 5
    while list(service.scratch.iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    calls = service.models.calls
    time.sleep(0.4)
    assert service.models.calls == calls < 30
    assert not list(service.scratch.iterdir())
    assert not list(service.storage.keys("tracks"))
    service.models.wait_seconds = 0.0
    assert service.analyse(key).frames_with_face == 30


def test_a_first_look_comes_before_the_analysis(service: Service, pictures: Pictures, tmp_path: Path) -> None:
    key = service.put(video(tmp_path / "clip.mp4", [*black(20), *pictures]))
    first, *_, analysis = service.look.analyse(key)
    assert isinstance(first, FirstLook)
    # Of two frames after the one keyframe, each a shot of its own; the first shows nobody.
    assert isinstance(analysis, VideoAnalysis)
    seen, (track,) = first.analysis, analysis.tracks
    assert (seen.frames, seen.frame_rate, seen.width, seen.height) == (2, Fraction(1), 640, 360)
    assert seen.frames_with_face == 1
    (early,) = seen.tracks
    assert (early.shot, early.first_frame, early.last_frame, early.rank) == (1, 1, 1, 0)
    assert abs(early.eye_distance - track.eye_distance) < 5
    assert (early.turned_away, early.occluded) == (0, 0)
    # Who asks again gets the analysis at once.
    assert not any(isinstance(each, FirstLook) for each in service.look.analyse(key))


def test_of_who_is_seen_at_once_a_first_look_needs_the_keyframe_alone(
    service: Service, pictures: Pictures, tmp_path: Path
) -> None:
    first = next(service.look.analyse(service.put(video(tmp_path / "clip.mp4", [*pictures, *pictures]))))
    assert isinstance(first, FirstLook)
    assert (first.analysis.frames, first.analysis.frames_with_face, len(first.analysis.tracks)) == (1, 1, 1)


def test_a_first_look_that_fails_costs_no_analysis(
    service: Service, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("services.preprocess.library.first_look_at", fail)
    assert service.analyse(service.put(video(tmp_path / "clip.mp4", [*pictures, *pictures]))).frames == 60


def test_a_first_look_of_nobody_has_no_tracks(service: Service, tmp_path: Path) -> None:
    items = service.look.analyse(service.put(video(tmp_path / "clip.mp4", black(60))))
    first = next(items)
    assert isinstance(first, FirstLook)
    assert first.analysis.tracks == ()
    with pytest.raises(ChorusError):
        list(items)


def test_progress_comes_twice_a_second(service: Service, pictures: Pictures, tmp_path: Path) -> None:
    service.models.wait_seconds = 0.15
    key = service.put(video(tmp_path / "clip.mp4", pictures[:14]))
    done = [item.frames_done for item in service.look.analyse(key) if isinstance(item, AnalysisProgress)]
    # The models alone take more than two seconds, however fast the machine is.
    assert len(done) >= 4
    assert done == sorted(done)
    assert done[-1] == 14


def test_service_that_is_not_there_is_named() -> None:
    client = LookClient("127.0.0.1:9", timeout_seconds=5)
    with pytest.raises(ChorusError, match=r"preprocess at 127\.0\.0\.1:9") as caught:
        next(client.analyse("uploads/any"))
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    client.close()


def test_silent_service_is_given_up() -> None:
    with socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = LookClient(f"127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.5)
        with pytest.raises(ChorusError, match="sent nothing") as caught:
            next(client.analyse("uploads/any"))
        assert caught.value.kind is ErrorKind.DEADLINE
        client.close()
