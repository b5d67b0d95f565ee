"""What a render child tells of itself becomes the worker's metrics."""

from __future__ import annotations

from services.jobs.engine.child import Inferences, Succeeded
from services.jobs.engine.measures import RenderMeasures
from services.jobs.model import Progress, Stage
from tests.measures import metric


def frames() -> float:
    """Frames that this process has counted as rendered."""
    return metric("chorus_rendered_frames_total")


def test_frames_count_while_they_are_rendered_and_never_twice() -> None:
    measures, before = RenderMeasures(), frames()
    measures.take(Progress(stage=Stage.ANALYSING, frames_done=500))
    measures.take(Progress(stage=Stage.RENDERING, frames_done=20))
    assert frames() == before + 20
    measures.take(None)
    measures.take(Progress(stage=Stage.RENDERING, frames_done=50))
    assert frames() == before + 50
    measures.take(Succeeded(frames=52, seconds=2.0, video_seconds=4.0, stages={"decode": 0.5}))
    assert frames() == before + 52
    assert metric("chorus_stage_duration_seconds_sum", stage="decode") >= 0.5


def test_the_childs_calls_are_counted_as_if_they_were_the_workers() -> None:
    RenderMeasures().take(Inferences([("child_model", 8, 0.02, ""), ("child_model", 4, 0.02, "unavailable")]))
    assert metric("chorus_inference_batch_size_sum", model="child_model") == 8
    assert metric("chorus_inferences_total", model="child_model", outcome="unavailable") == 1
