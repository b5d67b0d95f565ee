"""What real mouths did against what ours do: `make quality TALKERS=folder` with clips of people and their own sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from services.media import open_clip, read_speech
from tests.quality import leaks
from tests.quality.leaks import leaks_of
from tests.quality.onnx_models import OnnxModels
from tests.quality.recordings import RATE, write_wave
from tests.quality.talkers import figures_of, markdown_of, mouth_of, table_of
from tests.running_stack import ROOT, RunningStack

OUTPUTS = ROOT / "outputs" / "quality" / "talkers"
RENDER_SECONDS = 300.0
pytestmark = pytest.mark.timeout(3600)


def test_lips_follow_the_voice_as_the_mouth_did_that_spoke(
    stack: RunningStack, talkers: list[Path], tmp_path: Path
) -> None:
    if len(talkers) < 2:
        pytest.skip("no real talkers to compare with: TALKERS=folder names two clips or more with their own sound")
    models, rows = OnnxModels(), []
    spoken = {clip: mouth_of(clip, models) for clip in talkers}
    for voice, face in pairs(talkers):
        recording = tmp_path / f"{voice.stem}.wav"
        write_wave(recording, read_speech(voice, name=voice.name))
        output = rendered(stack, recording, face)
        rows.append(figures_of(voice.stem, face.stem, mouth_of(output, models), spoken[voice]))
    Console(width=130).print(table_of(rows))
    (OUTPUTS / "table.md").write_text(markdown_of(rows), encoding="utf-8")
    assert all(0 < row.opening <= 1 for row in rows), "lips that move against the voice"


def test_a_talker_who_is_given_silence_rests(stack: RunningStack, talkers: list[Path], tmp_path: Path) -> None:
    if not talkers:
        pytest.skip("nobody who talks: TALKERS=folder names clips of people who do")
    models, rows = OnnxModels(), []
    for clip in talkers:
        recording = tmp_path / "nobody.wav"
        facts = open_clip(clip, name=clip.name)
        write_wave(recording, np.zeros(round(facts.frames / facts.frame_rate * RATE)))
        rows.append(leaks_of(clip, rendered(stack, recording, clip), models))
    Console(width=130).print(leaks.table_of(rows))
    (OUTPUTS / "leaks.md").write_text(leaks.markdown_of(rows), encoding="utf-8")
    for row in rows:
        moves, _, noise = row.moves
        assert moves < 1.25 * noise, f"{row.clip}: the old words move the lips"
        assert row.opening < 0.012, f"{row.clip}: a mouth that rests is shut"


def pairs(talkers: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Every voice on its own face, then on the next one's."""
    for index, voice in enumerate(talkers):
        yield voice, voice
        yield voice, talkers[(index + 1) % len(talkers)]


def rendered(stack: RunningStack, recording: Path, face: Path) -> Path:
    """The lossless output."""
    (job,) = stack.create_batch(recording, [face], crf=0, delivery="source")["jobs"]
    done = stack.wait_for(job["id"], seconds=RENDER_SECONDS)
    assert done["state"] == "succeeded", done["error"]
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    return stack.download(done["id"], OUTPUTS / f"{recording.stem}.on.{face.stem}.mp4")
