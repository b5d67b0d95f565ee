"""What a render child tells of its work, passed on to the metrics and the trace of the worker, which outlives it."""

from __future__ import annotations

from services import telemetry
from services.jobs.engine.child import Inferences, Message, Spans, Succeeded
from services.jobs.model import Progress, Stage


class RenderMeasures:
    """One render's messages, in order."""

    def __init__(self) -> None:
        self._frames = 0

    def take(self, message: Message | None) -> None:
        """Count what the message adds to the ones before."""
        if isinstance(message, Progress) and message.stage is Stage.RENDERING:
            self._count_frames(message.frames_done)
        elif isinstance(message, Inferences):
            for model, rows, seconds, failure in message.calls:
                telemetry.inference(model, rows, seconds, failure)
        elif isinstance(message, Spans):
            telemetry.spans_told(message.documents)
        elif isinstance(message, Succeeded):
            self._count_frames(message.frames)
            telemetry.render_finished(message.video_seconds, message.seconds)
            for stage, seconds in message.stages.items():
                telemetry.stage_finished(stage, seconds)

    def _count_frames(self, done: int) -> None:
        telemetry.frames_rendered(max(0, done - self._frames))
        self._frames = max(self._frames, done)
