"""Nets that a family names, as preprocess asks them: over gRPC, with hand-made nets in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import av
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from services.media import Readers
from services.preprocess.client import PreprocessClient
from services.preprocess.faces import (
    FaceBatch,
    FaceIntroduction,
    FaceRequest,
    FaceStreamItem,
    MelSpec,
    Speech,
)
from services.preprocess.library import FaceLibrary
from services.preprocess.probing import ProbePool
from services.preprocess.states import states_key
from services.preprocess.summary import AnalysisProgress
from services.render.families.imported import musetalk
from services.storage import Storage
from services.timeline import Extend
from tests.latent_nets import LOUDNESS, REST, hearing_net, latent_family, looking_net
from tests.media_samples import Tone, make_sound
from tests.preprocess_callers import SAMPLES, batches_of, video
from tests.quality.onnx_models import OnnxModels
from tests.rpc_loop import running_preprocess

FAMILY = latent_family()
HEARING, LOOKING = musetalk.sound_net(FAMILY), musetalk.source_net(FAMILY)


class Nets:
    """In Triton's place: ours, and the family's; counts the rows that are asked of these."""

    def __init__(self) -> None:
        self._own = OnnxModels()
        nets = {HEARING.model: hearing_net(), LOOKING.model: looking_net()}
        self._nets = {
            name: onnxruntime.InferenceSession(net.SerializeToString(), providers=["CPUExecutionProvider"])
            for name, net in nets.items()
        }
        self.rows: dict[str, int] = {}
        self.may_go_on = threading.Event()

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        if model not in self._nets:
            return self._own.infer(model, inputs, outputs)
        if model == HEARING.model:
            self.may_go_on.wait(20)
        self.rows[model] = self.rows.get(model, 0) + len(next(iter(inputs.values())))
        return dict(zip(outputs, self._nets[model].run(list(outputs), dict(inputs)), strict=True))


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbePool]:
    pool = ProbePool(tmp_path_factory.mktemp("probes"))
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def nets() -> Nets:
    return Nets()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with av.open(SAMPLES / "astronaut.mp4") as container:
        frames = islice(container.decode(video=0), 12)
        pictures = [frame.reformat(640, 360, "rgb24").to_ndarray().astype(np.uint8) for frame in frames]
    return video(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures)


@pytest.fixture
def storage(tmp_path: Path, clip: Path) -> Storage:
    storage = Storage((tmp_path / "store").as_uri(), tmp_path / "scratch")
    storage.put_file("media/clip", clip)
    return storage


@pytest.fixture
def client(
    storage: Storage, nets: Nets, probes: ProbePool, readers: Readers, tmp_path: Path
) -> Iterator[PreprocessClient]:
    nets.rows.clear()
    nets.may_go_on.set()
    library = FaceLibrary(storage, nets, readers, tmp_path / "scratch", max_minutes=2)
    with running_preprocess(library, storage, probes) as address:
        client = PreprocessClient(address, timeout_seconds=20)
        yield client
        client.close()


def put_sound(storage: Storage, folder: Path, seconds: float) -> str:
    storage.put_file("media/speech", make_sound(folder / "speech.wav", Tone(codec="pcm_s16le", seconds=seconds)))
    return "media/speech"


def request(audio: str, frames: int) -> FaceRequest:
    return FaceRequest(
        "media/clip",
        audio,
        musetalk.CROP,
        MelSpec(0),
        frames,
        Extend.PINGPONG,
        sound_net=HEARING,
        source_net=LOOKING,
    )


def test_states_and_latents_come_with_the_faces_and_are_kept(
    client: PreprocessClient, storage: Storage, nets: Nets, tmp_path: Path
) -> None:
    wanted = request(put_sound(storage, tmp_path, 1.0), 40)
    items = list(client.stream_faces(wanted))
    assert nets.rows == {HEARING.model: 2, LOOKING.model: 12}
    introduction = next(item for item in items if isinstance(item, FaceIntroduction))
    assert introduction.box is not None
    left, top, right, bottom = introduction.box
    side = introduction.references.side
    # The mouth, which is the crop's own middle across, lies in the lower half that the net paints.
    mouth = [-edge / musetalk.CROP.extent * side for edge in (musetalk.CROP.left, musetalk.CROP.top)]
    assert left < mouth[0] < right
    assert (top + bottom) / 2 < mouth[1] < bottom
    assert 0.55 < (right - left) / side < 0.95
    check_batches(batches_of(items))
    again = list(client.stream_faces(wanted))
    assert nets.rows == {HEARING.model: 2, LOOKING.model: 12}
    for one, other in zip(batches_of(items), batches_of(again), strict=True):
        assert np.array_equal(one.latents, other.latents)  # type: ignore[arg-type]
        assert np.array_equal(one.sound, other.sound)  # type: ignore[arg-type]


def check_batches(batches: list[FaceBatch]) -> None:
    """The tone of one second is heard in its frames alone, and beyond its end is nothing."""
    assert sum(len(batch.weight) for batch in batches) == 40
    for batch in batches:
        assert batch.latents is not None
        assert batch.sound is not None
        assert batch.silence is not None
        assert batch.latents.shape == (len(batch.weight), 8, 32, 32)
        assert batch.sound.shape == batch.silence.shape == (len(batch.weight), 10, 1920)
        assert (batch.silence == REST).all()
        for frame, heard in enumerate(batch.sound[:, :, 0].astype(float), start=batch.first_frame):
            states = np.arange(2 * frame - 4, 2 * frame + 6)
            assert (heard[(states < 0) | (states >= 50)] == 0).all()
            assert (heard[(states >= 1) & (states < 49)] > REST + 0.01 * LOUDNESS).all()


def test_progress_is_told_while_the_net_hears(
    client: PreprocessClient, storage: Storage, nets: Nets, tmp_path: Path
) -> None:
    wanted = request(put_sound(storage, tmp_path, 65.0), 4)
    list(client.stream_faces(FaceRequest("media/clip", "media/speech", musetalk.CROP, MelSpec(0), 4, Extend.CUT)))
    nets.may_go_on.clear()
    stream, seen = client.stream_faces(wanted), list[FaceStreamItem]()
    for item in stream:
        seen.append(item)
        nets.may_go_on.set()
    told = [(item.frames_done, item.frames_total) for item in seen if isinstance(item, AnalysisProgress)]
    assert told[0] == (0, 0)
    assert told[-1] == (65 * 50, 65 * 50)
    assert nets.rows[HEARING.model] == 4
    assert isinstance(next(item for item in seen if not isinstance(item, AnalysisProgress)), Speech)


def test_a_stream_that_is_given_up_leaves_nothing_half(
    client: PreprocessClient, storage: Storage, nets: Nets, tmp_path: Path
) -> None:
    audio = put_sound(storage, tmp_path, 1.0)
    stream = client.stream_faces(request(audio, 100_000))
    first = next(item for item in stream if isinstance(item, FaceBatch))
    stream.close()
    assert len(first.weight) == 8
    assert list(storage.keys("latents")) == []
    assert list(storage.keys("states")) == [states_key(audio, HEARING)]
    list(client.stream_faces(request(audio, 12)))
    # All of them anew; of the stream before one batch more may have been under way.
    assert nets.rows[HEARING.model] == 2
    assert 8 + 12 <= nets.rows[LOOKING.model] <= 12 + 12
    (piece,) = storage.keys("latents")
    assert piece.endswith("/0/0-12")
