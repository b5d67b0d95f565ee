"""render() from end to end: real FFmpeg, a real preprocess over gRPC, the real models in this process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import cast

import av
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from services.cli.calibration import write_pairs
from services.errors import ChorusError, ErrorKind
from services.importing.quantising import read_pairs
from services.jobs.model import Progress, Stage
from services.jobs.options import RenderOptions
from services.jobs.spec import JobSpec
from services.local.run_file import RunningStack
from services.media import Extend, Frame, Readers, open_clip, read_frames
from services.preprocess.client import PreprocessClient
from services.preprocess.library import FaceLibrary
from services.preprocess.probing import ProbePool
from services.render.line import Rendered, RenderServices, render
from services.storage import Storage
from services.triton import TritonClient
from tests.announcement import announcement
from tests.media_samples import ClipRecipe, make_clip
from tests.quality.onnx_models import OnnxModels
from tests.rpc_loop import running_preprocess

SAMPLES = Path(__file__).parents[2] / "samples"
SPEECH_SECONDS, SILENCE_SECONDS = 1.2, 1.0


@dataclass(frozen=True)
class Studio:
    """Everything that a render needs, and a folder for what it makes."""

    services: RenderServices
    folder: Path
    preprocess: str
    """host:port"""

    def store(self, path: Path) -> str:
        key = f"media/{path.name}"
        self.services.storage.put_file(key, path)
        return key

    def render(self, video: Path, audio: Path, options: RenderOptions) -> tuple[Rendered, Path, list[Progress]]:
        heard: list[Progress] = []
        output = self.folder / f"{video.stem}_{time.monotonic_ns()}.mp4"
        spec = spec_of(self.store(video), self.store(audio), video.name, options)
        rendered = render(spec, self.services, output, output.with_suffix(".jpg"), heard.append)
        return rendered, output, heard


def spec_of(video_key: str, audio_key: str, video_name: str, options: RenderOptions) -> JobSpec:
    return JobSpec(
        job_id="job",
        batch_id="batch",
        video_key=video_key,
        video_name=video_name,
        audio_key=audio_key,
        audio_name="speech.wav",
        output_key="outputs/job.mp4",
        poster_key="outputs/job.jpg",
        options=options,
    )


@pytest.fixture(scope="module")
def studio(readers: Readers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("render")
    models = OnnxModels()
    storage = Storage((folder / "store").as_uri(), folder / "scratch")
    probes = ProbePool(folder / "scratch")
    library = FaceLibrary(storage, models, readers, folder / "scratch", max_minutes=10)
    with running_preprocess(library, storage, probes) as address:
        client = PreprocessClient(address)
        yield Studio(RenderServices(storage, client, cast(TritonClient, models)), folder, address)
        client.close()
    probes.close()


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech, then silence."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    return announcement(path, SPEECH_SECONDS, silence=SILENCE_SECONDS)


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 frames of a moving face, 8 of an empty wall, 12 of the face: 640 x 360, 30000/1001 a second, lossless."""
    path = tmp_path_factory.mktemp("moving") / "moving.mp4"
    with av.open(str(SAMPLES / "astronaut.mp4")) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", Fraction(30000, 1001), options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for index, frame in zip(range(32), source.decode(video=0), strict=False):
            picture = frame.reformat(640, 360, "rgb24").to_ndarray().astype(np.uint8)
            if 12 <= index < 20:
                picture[...] = 90
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        target.mux(stream.encode(None))
    return path


def frames_of(path: Path, count: int, extend: Extend = Extend.PINGPONG) -> list[Frame]:
    return list(read_frames(open_clip(path, name=path.name), count, extend))


def differs(first: Frame, second: Frame) -> NDArray[np.bool_]:
    return np.not_equal(first.y, second.y)


def test_a_moving_clip_gets_a_new_mouth_and_nothing_else(studio: Studio, moving: Path, speech: Path) -> None:
    rendered, output, heard = studio.render(moving, speech, RenderOptions(crf=0, preset="ultrafast"))
    clip = open_clip(output, name="output")
    assert (clip.width, clip.height, clip.frame_rate) == (640, 360, Fraction(30000, 1001))
    assert rendered.frames == clip.frames == 66
    assert float(clip.seconds) == pytest.approx(SPEECH_SECONDS + SILENCE_SECONDS, abs=1001 / 30000)
    changed = [differs(*pair) for pair in zip(frames_of(moving, 66), frames_of(output, 66), strict=True)]
    assert not any(change.any() for change in changed[12:20]), "frames without a face pass through bit-exact"
    assert all(change.any() for change in changed[3:10])
    for change in changed:
        assert change.mean() < 0.06, "only the mouth is touched"
    assert output.with_suffix(".jpg").stat().st_size > 1000
    assert heard[0].stage is Stage.STARTING
    assert heard[-1].frames_done == heard[-1].frames_total == 66
    assert json.loads(json.dumps(asdict(rendered)))["frames"] == 66
    assert rendered.stages.keys() >= {"analyse", "faces", "synthesise", "decode", "composite", "encode"}


def test_the_mouth_moves_with_the_speech_and_rests_in_silence(studio: Studio, speech: Path) -> None:
    _, output, _ = studio.render(
        SAMPLES / "portrait.jpg", speech, RenderOptions(crf=0, preset="ultrafast", still_motion=False)
    )
    frames = frames_of(output, 55)
    assert len(frames) == 55
    steps = [float(np.mean(differs(*pair))) for pair in pairwise(frames)]
    assert np.median(steps[8:25]) > 0.005
    assert max(steps[40:]) == 0, "in silence a still is still"


def test_the_example_family_renders_a_job_from_its_own_package(
    studio: Studio, moving: Path, speech: Path, example_family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(example_family)
    _, output, _ = studio.render(moving, speech, RenderOptions(family="puppet", crf=0, preset="ultrafast"))
    changed = [differs(*pair) for pair in zip(frames_of(moving, 66), frames_of(output, 66), strict=True)]
    assert all(change.any() for change in changed[20:25]), "the jaw moves with the voice"
    assert all(change.mean() < 0.06 for change in changed), "only the lower face is touched"
    assert not any(change.any() for change in changed[-12:]), "in silence the footage keeps its bits"


def test_calibration_takes_the_faces_of_talking_footage_with_their_sound(
    studio: Studio, moving: Path, speech: Path, tmp_path: Path
) -> None:
    """The recording beside a mute video is its sound; what cannot be used is told, and the store stays as it was."""
    footage, told = tmp_path / "footage", list[str]()
    footage.mkdir()
    for path in (moving, speech, SAMPLES / "portrait.jpg"):
        (footage / path.name).symlink_to(path)
    (footage / "broken.mp4").write_bytes(b"no video")
    stack = RunningStack(0, "", preprocess=studio.preprocess)
    store = (studio.folder / "store").as_uri()
    before = sorted(path for path in (studio.folder / "store").rglob("*") if path.is_file())
    write_pairs(stack, store, [footage], 96, tmp_path / "pairs.npz", told.append)
    assert sorted(path for path in (studio.folder / "store").rglob("*") if path.is_file()) == before
    pairs = read_pairs(tmp_path / "pairs.npz")
    assert pairs.crops.shape[1:] == (96, 96, 3)
    assert 10 <= len(pairs) <= 24, "of 24 frames with a face those that show it well"
    assert len(pairs.mels) == len(pairs.tried) == len(pairs)
    assert np.flatnonzero(pairs.tried).tolist() == list(range(len(pairs) - len(pairs) // 5, len(pairs)))
    assert pairs.mels.min() == -4 < pairs.mels.max(), "silence and speech"
    assert pairs.crops.std(axis=(1, 2, 3)).min() > 20, "pictures of a face"
    assert len(told) == 3
    assert "portrait.jpg is left out" in told[1]
    with pytest.raises(ChorusError) as refusal:
        write_pairs(stack, store, [SAMPLES / "portrait.jpg"], 96, tmp_path / "none.npz", told.append)
    assert refusal.value.code == "fewer-bits-no-footage"


def test_the_output_goes_on_at_rest_when_asked_to(studio: Studio, moving: Path, tmp_path: Path) -> None:
    short = announcement(tmp_path / "short.wav", 0.2)
    rendered, output, _ = studio.render(moving, short, RenderOptions(after_audio="rest", preset="ultrafast"))
    assert rendered.frames == 32
    with av.open(str(output)) as container:
        sound = container.streams.audio[0]
        assert sound.duration is not None
        assert sound.time_base is not None
        assert float(sound.duration * sound.time_base) == pytest.approx(32 * 1001 / 30000, abs=0.05)
    ended, _, _ = studio.render(moving, short, RenderOptions(preset="ultrafast"))
    assert ended.frames == 6


def test_a_second_job_with_the_same_media_starts_at_once(studio: Studio, moving: Path, speech: Path) -> None:
    options = RenderOptions(preset="ultrafast")
    studio.render(moving, speech, options)
    _, _, heard = studio.render(moving, speech, options)
    assert Stage.ANALYSING not in {report.stage for report in heard}


def test_a_video_without_a_face_is_refused_and_leaves_nothing(studio: Studio, speech: Path, tmp_path: Path) -> None:
    wall = make_clip(tmp_path / "wall.mp4", ClipRecipe(frames=10, size=(320, 240)))
    before = set(studio.folder.iterdir())
    with pytest.raises(ChorusError, match=r"wall\.mp4") as refusal:
        studio.render(wall, speech, RenderOptions())
    assert refusal.value.kind is ErrorKind.NO_FACE
    assert set(studio.folder.iterdir()) == before


def test_a_face_that_is_not_there_is_refused(studio: Studio, moving: Path, speech: Path) -> None:
    with pytest.raises(ChorusError, match=r"moving\.mp4") as refusal:
        studio.render(moving, speech, replace(RenderOptions(), face=3))
    assert refusal.value.kind is ErrorKind.NO_FACE


@pytest.fixture
def request_document(studio: Studio, moving: Path, speech: Path, tmp_path: Path) -> str:
    """What the worker writes to its child."""
    spec = spec_of(studio.store(moving), studio.store(speech), "moving.mp4", RenderOptions())
    return json.dumps(
        {
            "spec": asdict(spec),
            "output_path": str(tmp_path / "output.mp4"),
            "poster_path": str(tmp_path / "poster.jpg"),
        }
    )


def child_of(studio: Studio, preprocess: str) -> str:
    """A program that is a render process whose preprocess lies at `preprocess`."""
    settings = {
        "store_url": (studio.folder / "store").as_uri(),
        "preprocess_address": preprocess,
        "triton_url": "127.0.0.1:9",
        "stall_seconds": 20,
    }
    return (
        "import sys; from services.render.process import run; from services.render.settings import"
        f" RenderProcessSettings; settings = RenderProcessSettings(**{settings!r}); sys.stderr.write('ready\\n');"
        " sys.exit(run(settings))"
    )


def test_the_render_process_says_why_it_failed(studio: Studio, request_document: str) -> None:
    command = [sys.executable, "-c", child_of(studio, "127.0.0.1:9")]
    ended = subprocess.run(command, input=request_document, capture_output=True, text=True, timeout=60, check=False)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 1
    assert lines[0]["progress"]["stage"] == "starting"
    assert lines[-1]["failed"]["kind"] == "unavailable"
    assert "preprocess" in lines[-1]["failed"]["message"]


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_the_render_process_dies_with_its_worker(studio: Studio) -> None:
    # The child waits for its request on our pipe, which nobody closes: only the kernel can end it.
    program = child_of(studio, "127.0.0.1:9")
    worker = (
        "import subprocess, sys, time\n"
        "from services.parent_death import dying_with_us\n"
        f"child = subprocess.Popen(dying_with_us([sys.executable, '-c', {program!r}]))\n"
        "sys.stderr.write(f'{child.pid}\\n')\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", worker]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        child = psutil.Process(int(process.stderr.readline()))
        try:
            assert process.stderr.readline() == "ready\n"
            time.sleep(0.5)
            assert child.is_running()
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            psutil.wait_procs([child], timeout=10)
            assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        finally:
            with suppress(psutil.NoSuchProcess):
                child.kill()
