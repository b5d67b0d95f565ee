"""Whole jobs with imported nets on real clips: what happens round the mouth. Prints the table of docs/families.md.

Two nets give back their face with a red mouth, one as Wav2Lip from its picture, one as MuseTalk from 64 by 64 pixels of
it: all but the mouth should be the source's. The weights of another are random, so that the lower face is noise: it
must end with the face. Beside them, the face itself laid in as Wav2Lip does it.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import astuple
from itertools import compress, islice
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from scripts.gpu.net import random_wav2lip
from services.importing.importer import import_file
from services.media import Extend, Frame, open_clip, read_frames
from tests.importing.seams import Measures, Plane, box_of, measure, pasted
from tests.latent_nets import write_latent_family
from tests.painting_net import painting_net
from tests.quality.face_meter import FaceMeter
from tests.quality.onnx_models import OnnxModels
from tests.running_stack import SAMPLES, RunningStack, running_stack

AUDIO = SAMPLES / "announcement_en.wav"
FRAMES = 75
PICTURES = Path("outputs/importing")
EXACT = {"crf": 0, "preset": "ultrafast", "delivery": "source"}
"""Nothing is lost in coding"""
NONE = np.zeros((1, 1), np.float32)
WAV2LIPS = "as Wav2Lip lays it in"
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """With all three nets."""
    folder = tmp_path_factory.mktemp("nets")
    for name, net in (("itself", painting_net()), ("noise", random_wav2lip())):
        onnx.save(net, folder / f"{name}.onnx")
        import_file(folder / f"{name}.onnx", folder / "families", wanted_name=name, licence=None, taken=())
    write_latent_family(folder / "families")
    with running_stack(folder, {"CHORUS_FAMILIES": str(folder / "families")}) as running:
        yield running


def test_round_the_mouth_the_picture_stays_the_sources(stack: RunningStack, clips: list[Path], tmp_path: Path) -> None:
    print("\n| clip, net | outside | seam | own | flicker | own | sharpness |\n|" + " --- |" * 7)
    PICTURES.mkdir(parents=True, exist_ok=True)
    sound = _sound(tmp_path / "short.wav")
    for clip in clips:
        source, meter = _frames(clip), FaceMeter(OnnxModels())
        faces = [meter.measure(frame) for frame in source]
        there = [bool(np.isfinite(face).all()) for face in faces]
        pairs = zip(source, faces, there, strict=True)
        made = {WAV2LIPS: [_as_wav2lip(frame, face) if seen else NONE for frame, face, seen in pairs]}
        for family in ("itself", "itself-closures", "latent", "noise"):
            batch = stack.create_batch(sound, [clip], family=family, **EXACT)
            job = stack.wait_for(batch["jobs"][0]["id"], seconds=600)
            assert job["state"] == "succeeded", job["error"]
            frames = _frames(stack.download(job["id"], tmp_path / f"{clip.stem}-{family}.mp4"))
            _draw(PICTURES / f"{clip.stem}-{family}.png", [*compress(frames, there)], [*compress(faces, there)])
            made[family] = [frame.y.astype(np.float32) for frame in frames]
        luma = [frame.y.astype(np.float32) for frame in source]
        found = {name: measure(*([*compress(each, there)] for each in (luma, made[name], faces))) for name in made}
        for name, each in found.items():
            print(f"| {clip.stem}, {name} | " + " | ".join(f"{value:.3f}" for value in astuple(each)) + " |")
        if clip == clips[0]:
            _check(found)


def _sound(path: Path) -> Path:
    """As much of the recording as is measured."""
    with wave.open(str(AUDIO), "rb") as whole, wave.open(str(path), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(FRAMES * whole.getframerate() // 24))
    return path


def _check(found: dict[str, Measures]) -> None:
    for family in ("itself", "latent", "noise"):
        assert found[family].outside_changed == 0
    assert found["itself"].seam < 0.1 * found["itself"].own_step
    assert 0.97 < found["itself"].sharpness < 1.03
    assert found["itself"].flicker < 0.1 * found["itself"].own_flicker
    assert found["itself"].seam < found[WAV2LIPS].seam
    assert found[WAV2LIPS].sharpness < found["itself"].sharpness


def _frames(path: Path) -> list[Frame]:
    clip = open_clip(path, name=path.name)
    return list(islice(read_frames(clip, FRAMES, Extend.PINGPONG), FRAMES))


def _as_wav2lip(frame: Frame, face: NDArray[np.float32]) -> Plane:
    """The luma of a frame with its own face laid in: what a perfect net would give there."""
    rgb, (left, top, right, bottom) = frame.rgb(), box_of(face)
    net = cv2.resize(rgb[top:bottom, left:right], (96, 96))
    laid = pasted(rgb, np.asarray(net, np.uint8), (left, top, right, bottom))
    changed = cv2.cvtColor(laid, cv2.COLOR_RGB2GRAY).astype(np.float32) - cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(frame.y + changed, np.float32)


def _draw(path: Path, frames: list[Frame], faces: list[NDArray[np.float32]]) -> None:
    """Six faces of the video in a row, to look at."""
    faces_seen = []
    for number in np.linspace(0, len(frames) - 1, 6).astype(int).tolist():
        left, top, right, bottom = box_of(faces[number])
        face = frames[number].rgb()[max(top, 0) : bottom + 20, max(left, 0) : right]
        faces_seen.append(cv2.resize(face, (320, 400), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(path), cv2.cvtColor(np.hstack(faces_seen), cv2.COLOR_RGB2BGR))
