"""What the lips do on rendered videos, held against the bars. Prints one table; pictures lie in outputs/quality/."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from tests.quality.bars import BARS, SIZES, STILL, TALKING, VIDEO, Bar
from tests.quality.figures import Figures, figures_of, markdown_of, table_of
from tests.quality.measured_clip import MeasuredClip, beside, measured_clip
from tests.quality.onnx_models import OnnxModels
from tests.quality.pictures import write_sheets, write_side_by_side
from tests.quality.recordings import ENGLISH, MANDARIN, SENTENCES, Recording, beginning, nobody_speaks, sized_still
from tests.running_stack import ROOT, SAMPLES, RunningStack

OUTPUTS = ROOT / "outputs" / "quality"
RENDER_SECONDS = 600.0
pytestmark = pytest.mark.timeout(3600)


@dataclass(slots=True)
class Judge:
    """Renders clips on a stack, measures them, and shows what it measured."""

    stack: RunningStack
    nobody: Recording
    models: OnnxModels = field(default_factory=OnnxModels)
    rows: list[Figures] = field(default_factory=list)

    def at_rest(self, clip: Path, silent: MeasuredClip | None = None) -> MeasuredClip:
        """The clip while nobody speaks; with it the face track is known to the stack.

        A clip that talks is held against `silent`, the clip of the same head that it was made from.
        """
        output, _ = self._rendered(clip, self.nobody)
        rest = measured_clip(clip, output, self.models, silent.source_landmarks if silent else None)
        write_sheets(OUTPUTS, f"{clip.stem}.{self.nobody.name}", rest)
        output.unlink()
        return beside(rest, silent) if silent else rest

    def look_at(self, clip: Path, recording: Recording, rest: MeasuredClip | None = None) -> Path:
        """Add a row to the table and its pictures; gives the output."""
        output, milliseconds = self._rendered(clip, recording)
        spoken = measured_clip(clip, output, self.models)
        self.rows.append(figures_of(spoken, rest, recording, self.models, milliseconds))
        write_sheets(OUTPUTS, f"{clip.stem}.{recording.name}", spoken)
        write_side_by_side(OUTPUTS / f"{clip.stem}.{recording.name}.side_by_side.mp4", spoken, recording.path)
        return output

    def _rendered(self, clip: Path, recording: Recording) -> tuple[Path, float]:
        """The lossless output and its wall-clock milliseconds a frame; a still's head is kept still to compare it."""
        (job,) = self.stack.create_batch(recording.path, [clip], crf=0, delivery="source", still_motion=False)["jobs"]
        done = self.stack.wait_for(job["id"], seconds=RENDER_SECONDS)
        assert done["state"] == "succeeded", done["error"]
        path = self.stack.download(done["id"], self.stack.home / f"{done['id']}.mp4")
        taken = datetime.fromisoformat(done["finished_at"]) - datetime.fromisoformat(done["started_at"])
        return path, 1000 * taken.total_seconds() / done["progress"]["frames_total"]


@pytest.fixture(scope="module")
def figures(stack: RunningStack, more_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Figures]:
    """Every row of the table, printed and written to outputs/quality/table.md."""
    folder: Path = tmp_path_factory.mktemp("quality")
    judge = Judge(stack, nobody_speaks(folder))
    try:
        _look_at_all(judge, more_clips, folder)
    finally:
        Console(width=210).print(table_of(judge.rows))
    (OUTPUTS / "table.md").write_text(markdown_of(judge.rows), encoding="utf-8")
    return judge.rows


def _look_at_all(judge: Judge, more_clips: list[Path], folder: Path) -> None:
    video, still = SAMPLES / VIDEO, SAMPLES / STILL
    rest = judge.at_rest(video)
    # The output is a clip of somebody who talks all the time: the next one must leave nothing of it.
    talking = judge.look_at(video, SENTENCES, rest).rename(folder / TALKING)
    judge.look_at(video, ENGLISH, rest).unlink()
    judge.look_at(video, MANDARIN, rest).unlink()
    judge.look_at(talking, ENGLISH, judge.at_rest(talking, rest)).unlink()
    judge.look_at(still, SENTENCES, judge.at_rest(still)).unlink()
    for height in SIZES:
        judge.look_at(sized_still(still, height, folder), beginning(SENTENCES, 4, folder)).unlink()
    for clip in more_clips:
        judge.look_at(clip, SENTENCES, judge.at_rest(clip)).unlink()


@pytest.mark.parametrize("bar", BARS, ids=str)
def test_no_figure_falls_below_its_bar(bar: Bar, figures: list[Figures]) -> None:
    (row,) = (row for row in figures if (row.clip, row.recording) == (bar.clip, bar.recording))
    figure = getattr(row, bar.figure)
    assert bar.least <= figure <= bar.most, f"{bar} is {figure:.4g}; it was {bar.measured:g} when the bar was set"
