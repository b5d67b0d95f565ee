"""preprocess as its callers see it, for tests: real models in this process instead of in Triton, and made videos."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from services.preprocess.client import PreprocessClient
from services.preprocess.faces import CropSpec, FaceBatch, FaceRequest, FaceStreamItem, MelSpec
from services.preprocess.look import LookClient
from services.preprocess.summary import AnalysisProgress, VideoAnalysis
from services.storage import Storage
from services.timeline import Extend
from tests.quality.onnx_models import OnnxModels

SAMPLES = Path(__file__).parents[1] / "samples"
CROP = CropSpec(-0.75, -0.55, 1.5, (256, 384, 512))
Pictures = list[NDArray[np.uint8]]


class CountedModels:
    """The real models; counts the calls, and waits before each when told to."""

    def __init__(self) -> None:
        self._models = OnnxModels()
        self.calls = 0
        self.wait_seconds = 0.0

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        self.calls += 1
        time.sleep(self.wait_seconds)
        return self._models.infer(model, inputs, outputs)


@dataclass(frozen=True)
class Service:
    """A running preprocess and what stands round it."""

    client: PreprocessClient
    look: LookClient
    storage: Storage
    models: CountedModels
    scratch: Path

    def put(self, path: Path) -> str:
        """Store a file as the gateway does, and give its key."""
        key = f"uploads/{path.stem}"
        self.storage.put_file(key, path)
        return key

    def analyse(self, key: str, name: str = "her.mp4") -> VideoAnalysis:
        *progress, analysis = self.look.analyse(key, name=name)
        assert all(isinstance(item, AnalysisProgress) for item in progress)
        assert isinstance(analysis, VideoAnalysis)
        return analysis

    def stream(self, video: str, audio: str, frames: int, face: int | None = None) -> list[FaceStreamItem]:
        request = FaceRequest(video, audio, CROP, MelSpec(16), frames, Extend.PINGPONG, face, "her.mp4")
        return [item for item in self.client.stream_faces(request) if not isinstance(item, AnalysisProgress)]


def black(count: int) -> Pictures:
    return [np.zeros((360, 640, 3), np.uint8)] * count


def video(path: Path, pictures: Pictures) -> Path:
    """The pictures as H.264, 25 a second."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "16", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def batches_of(items: list[FaceStreamItem]) -> list[FaceBatch]:
    return [item for item in items if isinstance(item, FaceBatch)]
