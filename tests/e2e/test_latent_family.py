"""Whole jobs with three hand-made nets in MuseTalk's place: the picture, and that nothing is heard or seen twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from services.jobs.imported import LATENTS, SOUND
from services.local.bench import measure as measure_speed
from services.media import Extend, Frame, open_clip, read_frames
from services.preprocess.latents import PIECE_ROWS
from services.triton import TritonClient
from tests.announcement import announcement
from tests.importing.seams import measure
from tests.latent_nets import latent_family, write_latent_family
from tests.preprocess_callers import video
from tests.quality.face_meter import FaceMeter
from tests.quality.mouth_measures import mouth_frame
from tests.quality.onnx_models import OnnxModels
from tests.running_stack import SAMPLES, RunningStack, running_stack

FRAMES, SECONDS = 30, 2
EXACT = {"crf": 0, "preset": "ultrafast", "delivery": "source"}
"""Nothing is lost in coding"""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("latent")
    write_latent_family(folder / "families")
    with running_stack(folder, {"CHORUS_FAMILIES": str(folder / "families")}) as running:
        yield running


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two of 30 frames, shorter than what is said."""
    folder = tmp_path_factory.mktemp("videos")
    with av.open(SAMPLES / "astronaut.mp4") as container:
        shown = islice(container.decode(video=0), 2 * FRAMES)
        pictures = [frame.reformat(640, 360, "rgb24").to_ndarray().astype(np.uint8) for frame in shown]
    return [video(folder / f"{start}.mp4", pictures[start:][:FRAMES]) for start in (0, FRAMES)]


def triton_of(stack: RunningStack) -> TritonClient:
    words = [word for process in stack.processes("--grpc-port=") for word in process.cmdline()]
    port = next(word.partition("=")[2] for word in words if word.startswith("--grpc-port="))
    return TritonClient(f"127.0.0.1:{port}")


class Asked:
    """How many requests the nets of the family have had."""

    def __init__(self, stack: RunningStack) -> None:
        with closing(triton_of(stack)) as client:
            self.sound, self.latents, self.painted = (
                client.computed(f"latent{part}")[0] for part in (SOUND, LATENTS, "")
            )


def rendered(stack: RunningStack, audio: Path, clip: Path, folder: Path, family: str = "latent") -> list[Frame]:
    """Every frame of a job's output."""
    batch = stack.create_batch(audio, [clip], family=family, **EXACT)
    job = stack.wait_for(batch["jobs"][0]["id"])
    assert job["state"] == "succeeded", job["error"]
    output = open_clip(stack.download(job["id"], folder / f"{job['id']}.mp4"), name="output")
    return list(read_frames(output, output.frames, Extend.CUT))


def stored(stack: RunningStack, folder: str) -> list[Path]:
    return [path for path in stack.home.rglob(f"{folder}/*/*/**/*") if path.is_file()]


def test_whole_jobs(stack: RunningStack, videos: list[Path], tmp_path: Path) -> None:
    speech, other = announcement(tmp_path / "speech.wav", SECONDS), announcement(tmp_path / "other.wav", SECONDS + 1)
    made = rendered(stack, speech, videos[0], tmp_path)
    first = Asked(stack)
    # One for the recording, one for silence; of the 30 frames each once, eight at most at a time.
    assert first.sound == 2
    assert first.latents == -(-FRAMES // 8)
    assert first.painted > first.latents
    check_picture(videos[0], made)

    rendered(stack, other, videos[0], tmp_path)
    second = Asked(stack)
    assert (second.sound, second.latents) == (first.sound + 2, first.latents)

    rendered(stack, speech, videos[1], tmp_path)
    third = Asked(stack)
    assert third.sound == second.sound
    assert third.latents > second.latents

    rendered(stack, speech, videos[1], tmp_path, "latent-closures")
    fourth = Asked(stack)
    assert (fourth.sound, fourth.latents) == (third.sound, third.latents)
    assert fourth.painted > third.painted
    check_deletion(stack)
    with closing(triton_of(stack)) as client:
        # What `chorus models bench` asks is what the net takes.
        assert next(measure_speed(latent_family(), client, seconds=0)).requests == 1


def check_picture(clip: Path, made: list[Frame]) -> None:
    """Outside the lower face all bits are the source's; inside there is a red mouth where something is said."""
    opened, meter = open_clip(clip, name=clip.name), FaceMeter(OnnxModels())
    assert len(made) == SECONDS * 25
    chosen = [5, 12, 20, 28]
    source = [frame for number, frame in enumerate(read_frames(opened, FRAMES, Extend.CUT)) if number in chosen]
    faces, shown = [meter.measure(frame) for frame in source], [made[number] for number in chosen]
    planes = [[frame.y.astype(np.float32) for frame in frames] for frames in (source, shown)]
    found = measure(planes[0], planes[1], faces)
    assert found.outside_changed == 0
    assert found.seam < 0.5 * found.own_step
    redness = []
    for frame, face in zip(shown, faces, strict=True):
        unit, _ = mouth_frame(face)[:2]
        across, down = np.rint(face[[13, 14], :2].mean(axis=0)).astype(int).tolist()
        reach = int(0.1 * unit)
        mouth = frame.rgb()[down - reach : down + reach, across - reach : across + reach].astype(int)
        redness.append(float((mouth[..., 0] - mouth[..., 1]).mean()))
    assert max(redness) > min(redness) + 10


def check_deletion(stack: RunningStack) -> None:
    """With an upload goes what nets made of it."""
    pieces, states = stored(stack, "latents"), stored(stack, "states")
    assert len(states) == 2
    assert len({path.parts[-5] for path in pieces}) == 2
    assert all(np.load(path).shape[1:] == (8, 32, 32) and len(np.load(path)) <= PIECE_ROWS for path in pieces)
    with stack.http as http:
        media: list[dict[str, Any]] = http.get("/v1/media").json()
        media = media["items"] if isinstance(media, dict) else media
        for each in media:
            assert http.delete(f"/v1/media/{each['id']}").is_success
    assert stored(stack, "latents") == stored(stack, "states") == []
