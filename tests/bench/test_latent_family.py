"""What Chorus adds a frame round the nets of an imported family: no Triton, whose answers are free, and one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Final, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from services.jobs.options import RenderOptions
from services.media import Clip, Extend, Frame, open_clip, read_frames
from services.preprocess import messages
from services.preprocess.analysis import analyse
from services.preprocess.batches import Heard, stream_batches
from services.preprocess.faces import FaceBatch, FaceIntroduction, FaceRequest, SourceNet, Speech
from services.preprocess.latents import SeenFaces
from services.preprocess.states import States
from services.preprocess.track_store import open_tracks
from services.preprocess.v1 import preprocess_pb2 as wire
from services.render.families.family import ModelFamily
from services.render.families.imported.methods import imported_family
from services.storage import Storage
from services.triton import TritonClient
from tests.latent_nets import SIDE, WIDTH, latent_family
from tests.quality.onnx_models import OnnxModels
from tests.running_stack import SAMPLES

FRAMES: Final = 96
ROUNDS: Final = 3
COLUMNS: Final = 80 * 10
VIDEO: Final = "media/clip"
pytestmark = pytest.mark.timeout(1200)


class FreeNets:
    """Answers of the right shapes, made beforehand."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self._pictures = {side: random.integers(0, 255, (8, side, side, 3), np.uint8) for side in (96, SIDE)}
        self._latents = random.normal(size=(8, 8, 32, 32)).astype(np.float32)

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        rows = len(next(iter(inputs.values())))
        if outputs == ["latents"]:
            return {"latents": self._latents[:rows]}
        side = inputs["crop"].shape[1] if "crop" in inputs else SIDE
        return {"mouth": self._pictures[side][:rows]}


@dataclass
class Costs:
    """Of one way, CPU milliseconds a frame, each round."""

    preprocess: list[float] = field(default_factory=list)
    render: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """One way through preprocess and the render child, as far as it is not FFmpeg."""

    clip: Clip
    folder: Path
    frames: list[Frame]
    nets: FreeNets

    def run(self, family: ModelFamily, costs: Costs, *, store: str) -> None:
        """What nets see lies in the folder `store`."""
        request = FaceRequest(
            VIDEO,
            "media/speech",
            family.crop,
            family.mel,
            FRAMES,
            Extend.PINGPONG,
            sound_net=family.sound_net,
            source_net=family.source_net,
        )
        started = time.process_time()
        sent = self._sent(request, store)
        between = time.process_time()
        self._rendered(family, sent)
        costs.preprocess.append(1000 * (between - started) / FRAMES)
        costs.render.append(1000 * (time.process_time() - between) / FRAMES)

    def _sent(self, request: FaceRequest, store: str) -> list[bytes]:
        seen = self._seen(request.source_net, store)
        states = np.zeros((1500, WIDTH), np.float16)
        heard = Heard(np.zeros((80, COLUMNS), np.float32), States(states, states) if request.sound_net else None)
        with open_tracks(self.folder / "tracks") as tracks:
            items = stream_batches(self.clip, tracks, heard, request, self._read, seen)
            return [message.SerializeToString() for message in messages.stream_responses(items)]

    def _read(self, _clip: Clip, _count: int, _extend: Extend) -> Generator[Frame]:
        yield from self.frames

    def _seen(self, net: SourceNet | None, store: str) -> SeenFaces | None:
        if net is None:
            return None
        storage = Storage((self.folder / store).as_uri(), self.folder)
        storage.put_bytes(VIDEO, b"a video")
        return SeenFaces(storage, VIDEO, net, self.nets)

    def _rendered(self, family: ModelFamily, sent: Iterable[bytes]) -> None:
        speech = Speech(
            np.zeros((80, COLUMNS), np.float32),
            np.zeros(COLUMNS, np.float32),
            np.ones(COLUMNS, np.float32),
            np.zeros((64, COLUMNS), np.float16),
        )
        triton = cast(TritonClient, self.nets)
        animator = family.animate(speech, self.clip.frame_rate, RenderOptions(), triton)
        frames = iter(self.frames)
        for item in messages.stream_items(map(wire.StreamFacesResponse.FromString, sent)):
            if isinstance(item, FaceIntroduction):
                animator.introduce(item)
            elif isinstance(item, FaceBatch):
                for edit in animator.synthesise(item):
                    edit.apply(next(frames))


def test_what_is_added_to_the_nets(tmp_path: Path) -> None:
    whole = open_clip(SAMPLES / "astronaut.mp4", name="astronaut.mp4")
    clip = replace(whole, frames=FRAMES)
    frames = list(read_frames(clip, FRAMES, Extend.CUT))
    (tmp_path / "scratch").mkdir()
    for _ in analyse(clip, iter(frames), OnnxModels(), tmp_path / "scratch", tmp_path / "tracks"):
        pass
    job = Job(clip, tmp_path, frames, FreeNets())
    latent = latent_family()
    mel = imported_family(replace(latent, name="mel", side=96, method="wav2lip"))
    latents = imported_family(latent)
    stores = iter(range(100))
    ways: dict[str, Callable[[Costs], None]] = {
        "Wav2Lip's method": lambda costs: job.run(mel, costs, store="none"),
        "MuseTalk's, a new video": lambda costs: job.run(latents, costs, store=f"new{next(stores)}"),
        "MuseTalk's, latents stored": lambda costs: job.run(latents, costs, store="kept"),
    }
    for way in ways.values():  # what is loaded and stored the first time
        way(Costs())
    found = {name: Costs() for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            way(found[name])
    table = Table(title=f"720p, {FRAMES} frames, nets that cost nothing: CPU ms a frame beside FFmpeg, each round")
    for heading in ("", "preprocess", "render child"):
        table.add_column(heading, justify="right")
    for name, costs in found.items():
        table.add_row(name, *(", ".join(f"{each:.2f}" for each in part) for part in (costs.preprocess, costs.render)))
    Console(width=120).print(table)
    assert median(found["MuseTalk's, latents stored"].preprocess) < 2 * median(found["Wav2Lip's method"].preprocess)
