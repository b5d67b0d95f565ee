"""The straight line of a job, piece by piece: lengths, order, what is in flight, what is closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from services.errors import ChorusError, ErrorKind
from services.jobs.families import family_cards
from services.jobs.model import Progress, Stage
from services.jobs.options import RenderOptions
from services.media import Extend, Frame, Matrix, Range
from services.media.hardware import HardwareFailedError
from services.preprocess.faces import FaceBatch, FaceIntroduction, FaceStreamItem, Speech
from services.preprocess.summary import AnalysisProgress
from services.render import line
from services.render.clock import StageClock, report_each
from services.render.families.registry import find_family
from services.render.line import RenderServices, await_speech, composite_faces, output_frames, synthesise_ahead

SPEECH = Speech(
    np.zeros((80, 80), np.float32),
    np.zeros(80, np.float32),
    np.zeros(80, np.float32),
    np.zeros((64, 80), np.float16),
)


@dataclass(frozen=True, slots=True)
class Length:
    """All that a clip's length is made of."""

    frames: int
    frame_rate: Fraction = Fraction(25)

    @property
    def still(self) -> bool:
        return self.frames == 1


def batch_of(first_frame: int, present: list[bool], track: int = 0) -> FaceBatch:
    """A batch of faces, all in the same place."""
    faces = sum(present)
    return FaceBatch(
        first_frame=first_frame,
        track=track,
        present=np.array(present),
        crops=np.zeros((faces, 32, 32, 3), np.uint8),
        landmarks=np.zeros((faces, 478, 3), np.float32),
        rest=np.zeros((faces, 478, 3), np.float32),
        to_crop=np.zeros((faces, 2, 3), np.float32),
        weight=np.ones(faces, np.float32),
        mels=np.zeros((faces, 80, 0), np.float32),
    )


def grey_frames(count: int) -> Iterator[Frame]:
    for index in range(count):
        planes = np.full((64, 64), 100, np.uint8), np.full((32, 32), 128, np.uint8), np.full((32, 32), 128, np.uint8)
        yield Frame(index, *planes, 8, Matrix.BT709, Range.LIMITED)


class White:
    """An edit that makes the frame white."""

    def apply(self, frame: Frame) -> None:
        frame.y[...] = 235


class WhiteFaces:
    """An animator that remembers what it saw."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.tracks: list[int] = []

    def introduce(self, introduction: FaceIntroduction) -> None:
        self.tracks.append(introduction.track)

    def synthesise(self, batch: FaceBatch) -> list[White]:
        self.batches.append(batch.first_frame)
        return [White()] * len(batch.weight)


@pytest.mark.parametrize(
    ("video_frames", "seconds", "options", "expected"),
    [
        (100, "6", {}, 150),
        (100, "6", {"extend": Extend.LOOP}, 150),
        (100, "6", {"extend": Extend.FREEZE}, 150),
        (100, "6", {"extend": Extend.CUT}, 100),
        (100, "2", {}, 50),
        (100, "2", {"extend": Extend.CUT}, 50),
        (100, "2", {"after_audio": "rest"}, 100),
        (100, "6", {"after_audio": "rest"}, 150),
        (100, "6", {"after_audio": "rest", "extend": Extend.CUT}, 100),
        (1, "2", {"extend": Extend.CUT}, 50),
        (1, "2", {"after_audio": "rest"}, 50),
        (100, "0.2", {}, 5),
        (100, "0.01", {}, 1),
        (100, "2.001", {}, 51),
    ],
)
def test_the_output_is_as_long_as_the_options_say(
    video_frames: int, seconds: str, options: dict[str, Any], expected: int
) -> None:
    assert output_frames(Length(video_frames), Fraction(seconds), RenderOptions(**options)) == expected


def test_fractional_rates_keep_within_a_frame_of_the_audio() -> None:
    rate = Fraction(30000, 1001)
    count = output_frames(Length(10, rate), Fraction(600), RenderOptions())
    assert 0 <= count / rate - 600 < 1 / rate


def test_hardware_that_breaks_off_is_followed_by_software_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[str | None] = []

    def once(spec: object, services: RenderServices, *others: object) -> str:
        tried.append(services.hardware)
        if services.hardware:
            raise HardwareFailedError(services.hardware) from OSError("the driver is gone")
        return "rendered"

    monkeypatch.setattr(line, "_render", once)
    spec: Any = SimpleNamespace(video_name="a.mp4")
    nobody: Any = None
    services = RenderServices(nobody, nobody, nobody, "h264_nvenc")
    assert line.render(spec, services, tmp_path, tmp_path, nobody) == "rendered"  # type: ignore[comparison-overlap]
    assert tried == ["h264_nvenc", None]


def test_families_are_those_of_the_catalogue() -> None:
    for name, card in family_cards().items():
        assert (find_family(name).name, find_family(name).licence) == (name, card.licence)
    with pytest.raises(ChorusError) as refusal:
        find_family("unheard")
    assert refusal.value.kind is ErrorKind.INVALID_INPUT


def test_analysis_is_reported_until_the_speech_comes() -> None:
    heard: list[Progress] = []
    items: Iterator[FaceStreamItem] = iter([AnalysisProgress(3, 9), AnalysisProgress(9, 9), SPEECH, batch_of(0, [])])
    assert await_speech(items, heard.append) is SPEECH
    assert [(report.stage, report.frames_done) for report in heard] == [(Stage.ANALYSING, 3), (Stage.ANALYSING, 9)]
    assert next(items).__class__ is FaceBatch
    with pytest.raises(ChorusError, match="before the speech"):
        await_speech(iter([]), heard.append)


def test_frames_without_a_face_pass_through_untouched() -> None:
    mouths = [
        (batch_of(0, [True, False, True]), [White(), White()]),
        (batch_of(3, [False, False], track=-1), []),
        (batch_of(5, [True]), [White()]),
    ]
    shown = list(composite_faces(grey_frames(6), mouths, StageClock()))
    assert [frame.index for frame in shown] == list(range(6))
    assert [int(frame.y[32, 32]) for frame in shown] == [235, 100, 235, 100, 100, 235]


def test_synthesis_runs_one_batch_ahead_and_no_further() -> None:
    pulled: list[int] = []

    def items() -> Iterator[FaceStreamItem]:
        yield FaceIntroduction(0, 100.0, 0.0, batch_of(-1, [True]))
        for first_frame in range(0, 80, 8):
            pulled.append(first_frame)
            yield batch_of(first_frame, [True] * 8)

    animator = WhiteFaces()
    order = []
    for batch, edits in synthesise_ahead(items(), animator, StageClock()):
        time.sleep(0.02)
        order.append(batch.first_frame)
        assert len(edits) == 8
        assert max(pulled) <= batch.first_frame + 8
    assert order == animator.batches == list(range(0, 80, 8))
    assert animator.tracks == [0]


def test_an_error_in_the_stream_reaches_the_caller_and_ends_the_thread() -> None:
    def items() -> Iterator[FaceStreamItem]:
        yield batch_of(0, [True])
        raise ChorusError(ErrorKind.UNAVAILABLE, "as-told", text="preprocess went away")

    mouths = synthesise_ahead(items(), WhiteFaces(), StageClock())
    assert next(mouths)[0].first_frame == 0
    with pytest.raises(ChorusError, match="went away"):
        next(mouths)
    assert not synthesis_threads()


def test_a_caller_that_stops_leaves_no_thread_behind() -> None:
    mouths = synthesise_ahead(iter([batch_of(i, [True]) for i in range(5)]), WhiteFaces(), StageClock())
    next(mouths)
    mouths.close()
    assert not synthesis_threads()


def test_progress_counts_frames_and_foresees_the_end() -> None:
    heard: list[Progress] = []
    assert list(report_each(range(4), 4, heard.append)) == [0, 1, 2, 3]
    assert [report.frames_done for report in heard] == [0, 1, 2, 3, 4]
    assert heard[-1].seconds_left == 0
    assert all(report.frames_per_second > 0 for report in heard[1:])


def test_the_clock_tells_making_from_taking() -> None:
    clock = StageClock()

    def slow() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.02)
            yield number

    for _ in clock.taken("encode", clock.each("decode", slow())):
        time.sleep(0.04)
    assert 0.06 <= clock.seconds["decode"] < 0.11
    assert 0.12 <= clock.seconds["encode"] < 0.2
    assert clock.elapsed() >= clock.seconds["decode"] + clock.seconds["encode"]


def synthesis_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("synthesise") and thread.is_alive()]
