"""The render process's side of its protocol: specs as JSON, and reports that do not flood the worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from services.jobs.model import Progress, Stage
from services.jobs.options import RenderOptions
from services.jobs.spec import JobSpec, spec_from_json, spec_to_json
from services.render.process import Speaker, report_to
from services.timeline import Extend


def spec_with(options: RenderOptions) -> JobSpec:
    """A job."""
    return JobSpec(
        job_id="job-1",
        batch_id="batch-1",
        video_key="media/ab",
        video_name="Grüße 你好.mp4",
        audio_key="media/cd",
        audio_name="speech.wav",
        output_key="outputs/job-1.mp4",
        poster_key="outputs/job-1.jpg",
        options=options,
    )


@pytest.mark.parametrize(
    "options",
    [
        RenderOptions(),
        RenderOptions(extend=Extend.CUT, after_audio="rest", crf=0, preset="slow", delivery="compatible", face=2),
        RenderOptions(expression=1.3, smoothing=0.5, silence="source", still_motion=False),
    ],
)
def test_a_spec_survives_the_way_through_json(options: RenderOptions) -> None:
    spec = spec_with(options)
    read = spec_from_json(json.loads(json.dumps(spec_to_json(spec))))
    assert read == spec
    assert isinstance(read.options.extend, Extend)


def test_a_job_that_an_earlier_release_queued_still_runs() -> None:
    spec = spec_with(RenderOptions(crf=20))
    document = spec_to_json(spec)
    del document["options"]["delivery"]
    document["options"]["pixel_format"] = "source"
    assert spec_from_json(document) == spec


def test_a_spec_that_is_none_is_refused() -> None:
    document = spec_to_json(spec_with(RenderOptions()))
    with pytest.raises(ValueError, match="surprise"):
        spec_from_json({**document, "surprise": 1})
    with pytest.raises(ValueError, match="video_key"):
        spec_from_json({"job_id": "job-1"})


def test_new_stages_are_reported_at_once_and_frames_seldom() -> None:
    lines: list[Mapping[str, Any]] = []
    report = report_to(lines.append)
    report(Progress(stage=Stage.STARTING))
    for done in range(1000):
        report(Progress(stage=Stage.RENDERING, frames_done=done, frames_total=1000))
    stages = [line["progress"]["stage"] for line in lines]
    assert stages[:2] == ["starting", "rendering"]
    assert len(lines) < 10
    assert set(lines[1]["progress"]) == {
        "stage", "frames_done", "frames_total", "frames_per_second", "seconds_left"
    }  # fmt: skip


def test_calls_to_triton_are_told_before_the_next_line_and_once() -> None:
    lines: list[Mapping[str, Any]] = []
    speaker = Speaker(lines.append)
    speaker.note_call("mouth_renderer", 8, 0.02, "")
    speaker.note_call("mouth_renderer", 3, 0.01, "deadline")
    speaker.say({"progress": {}})
    speaker.say({"failed": {}})
    assert lines == [
        {"inferences": [("mouth_renderer", 8, 0.02, ""), ("mouth_renderer", 3, 0.01, "deadline")]},
        {"progress": {}},
        {"failed": {}},
    ]
