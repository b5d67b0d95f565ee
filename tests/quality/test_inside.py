"""The inside of open mouths, real ones against ours: `make quality TALKERS=folder` with people who talk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from scripts.contact_sheet import tiled, write_picture
from services.media import Extend, open_clip, read_frames, read_speech
from tests.quality.face_meter import FaceMeter
from tests.quality.mouth_measures import inner_opening
from tests.quality.mouth_profiles import Insides, figures_of, markdown_of, profile_table, table_of
from tests.quality.onnx_models import OnnxModels
from tests.quality.pixel_measures import Image, mouth_close_up
from tests.quality.recordings import SENTENCES, write_wave
from tests.quality.slits import slit_depth
from tests.quality.test_talkers import OUTPUTS, rendered
from tests.running_stack import RunningStack

_SILENT = 0.003
"""Of full scale; a clip with no louder sound is driven by the sentences"""
_SHOWN = 8
_OPEN = 0.045
"""Eye distances between the lips of the mouths in the sheets"""
_HEIGHT = 180
pytestmark = pytest.mark.timeout(3600)


def test_the_inside_of_a_mouth_looks_as_real_ones_do(stack: RunningStack, talkers: list[Path], tmp_path: Path) -> None:
    if not talkers:
        pytest.skip("no real mouths to compare with: TALKERS=folder names clips of people who talk")
    models, rows, slits = OnnxModels(), [], []
    for clip in talkers:
        output = rendered(stack, recording_of(clip, tmp_path), clip)
        (real, theirs, slit), (ours, own, our_slit) = (insides_of(path, models) for path in (clip, output))
        rows += figures_of(clip.stem, real, ours)
        slits.append((slit, our_slit))
        write_picture(OUTPUTS / f"{clip.stem}.insides.jpg", tiled([theirs, own], _HEIGHT))
    console = Console(width=150)
    console.print(table_of(rows))
    console.print(profile_table(rows))
    console.print("Slits between the lips, darker than these by (real, ours):", np.nanmean(slits, axis=0).round(3))
    (OUTPUTS / "insides.md").write_text(markdown_of(rows), encoding="utf-8")
    assert all(row.distance[0] < 0.25 and row.distance[1] < 0.35 for row in rows), "unlike any real mouth"


def recording_of(clip: Path, folder: Path) -> Path:
    """The clip's own sound, or sentences where it has none."""
    samples = read_speech(clip, name=clip.name)
    if np.abs(samples).max(initial=0) < _SILENT:
        return SENTENCES.path
    recording = folder / f"{clip.stem}.wav"
    write_wave(recording, samples)
    return recording


def insides_of(path: Path, models: OnnxModels) -> tuple[Insides, list[Image], float]:
    """What a clip's open mouths show, close-ups of some of them, spread evenly, and the mean depth of its slits."""
    clip, meter = open_clip(path, name=path.name), FaceMeter(models)
    found, close_ups, slits = Insides(), list[Image](), list[float | None]()
    for frame in read_frames(clip, clip.frames, Extend.CUT):
        landmarks, picture = meter.measure(frame), frame.rgb()
        found.add(picture, landmarks)
        slits.append(slit_depth(picture, landmarks))
        if float(inner_opening(landmarks)) > _OPEN:
            close_ups.append(mouth_close_up(picture, landmarks))
    spread = np.linspace(0, max(len(close_ups) - 1, 0), min(_SHOWN, len(close_ups))).astype(int)
    depths = [depth for depth in slits if depth is not None]
    return found, [close_ups[index] for index in spread], float(np.mean(depths)) if depths else np.nan
