"""preprocess as its callers see it: the stream of faces; real gRPC, real FFmpeg, the real models in this process."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from services.errors import ChorusError, ErrorKind
from services.media import Readers
from services.preprocess.client import PreprocessClient
from services.preprocess.faces import (
    FaceBatch,
    FaceIntroduction,
    FaceRequest,
    MelSpec,
    Speech,
)
from services.preprocess.library import FaceLibrary
from services.preprocess.look import LookClient
from services.preprocess.probing import ProbePool
from services.preprocess.speech_store import speech_key, write_speech
from services.preprocess.summary import FACTS_VERSION, SoundNote
from services.preprocess.track_store import TrackWriter
from services.storage import Storage
from services.timeline import Extend
from tests.media_samples import Tone, make_sound
from tests.preprocess_callers import CROP, SAMPLES, CountedModels, Pictures, Service, batches_of, black, video
from tests.rpc_loop import running_preprocess


@pytest.fixture(scope="module")
def models() -> CountedModels:
    return CountedModels()


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbePool]:
    pool = ProbePool(tmp_path_factory.mktemp("probes"))
    yield pool
    pool.close()


@pytest.fixture
def service(tmp_path: Path, models: CountedModels, probes: ProbePool, readers: Readers) -> Iterator[Service]:
    models.calls, models.wait_seconds = 0, 0.0
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    storage = Storage((tmp_path / "store").as_uri(), scratch)
    library = FaceLibrary(storage, models, readers, scratch, max_minutes=1)
    with running_preprocess(library, storage, probes) as address:
        client, look = PreprocessClient(address, timeout_seconds=20), LookClient(address, timeout_seconds=20)
        yield Service(client, look, storage, models, scratch)
        client.close()
        look.close()


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """The first 30 pictures of the sample clip, half size, RGB."""
    with av.open(SAMPLES / "astronaut.mp4") as container:
        frames = islice(container.decode(video=0), 30)
        return [frame.reformat(640, 360, "rgb24").to_ndarray().astype(np.uint8) for frame in frames]


@pytest.fixture
def speech(service: Service, tmp_path: Path) -> str:
    return service.put(make_sound(tmp_path / "speech.wav", Tone(codec="pcm_s16le", seconds=2.0)))


def test_nothing_is_analysed_twice(
    service: Service, pictures: Pictures, speech: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    key = service.put(video(tmp_path / "clip.mp4", pictures[:12]))
    first = service.stream(key, speech, 12)
    calls = service.models.calls
    again = service.stream(key, speech, 12)
    assert service.models.calls == calls
    assert "track of her.mp4 reused" in caplog.text
    assert "speech of the audio reused" in caplog.text
    assert service.analyse(key).frames == 12
    for one, other in zip(batches_of(first), batches_of(again), strict=True):
        assert np.array_equal(one.crops, other.crops)
        assert np.array_equal(one.rest, other.rest)


def test_stream_gives_speech_introduction_and_every_frame(
    service: Service, pictures: Pictures, speech: str, tmp_path: Path
) -> None:
    items = service.stream(service.put(video(tmp_path / "clip.mp4", pictures[:12])), speech, 27)
    sound, introduction, *batches = items
    assert isinstance(sound, Speech)
    assert sound.mel.shape == (80, 161)
    assert sound.voice.shape == sound.level_db.shape == (161,)
    assert isinstance(introduction, FaceIntroduction)
    assert 1 <= len(introduction.references.crops) <= 4
    faces = batches_of(batches)
    assert [(batch.first_frame, len(batch.present)) for batch in faces] == [(0, 8), (8, 8), (16, 8), (24, 3)]
    # The source has 12 frames: output frame 12 goes back to source frame 10.
    assert np.array_equal(faces[1].crops[4], faces[1].crops[2])
    for batch in faces:
        assert batch.crops.shape[1:] == (256, 256, 3)
        assert batch.mels.shape[1:] == (80, 16)
        assert (batch.weight == 1).all()
        # The middle of the resting mouth has a fixed place in every crop.
        corners = batch.rest[:, [61, 291], 0].mean(axis=1)
        assert corners == pytest.approx(np.full(len(corners), 128), abs=3)
        assert batch.rest[:, [13, 14], 1].mean(axis=1) == pytest.approx(np.full(len(corners), 94), abs=6)
        assert np.abs(batch.rest - batch.landmarks)[:, :, :2].max() < 12


def test_the_process_itself_opens_no_file_of_a_stranger(
    service: Service, pictures: Pictures, speech: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = service.put(video(tmp_path / "clip.mp4", pictures[:4]))

    def refuse(*_arguments: object, **_named: object) -> None:
        raise AssertionError("opened in preprocess itself")

    monkeypatch.setattr(av, "open", refuse)
    monkeypatch.setattr(Image, "open", refuse)
    assert service.look.probe(speech, name="speech.wav").facts.kind == "audio"
    assert service.look.probe(key, name="her.mp4").facts.kind == "video"
    (batch,) = batches_of(service.stream(key, speech, 4))
    assert batch.crops.shape == (4, 256, 256, 3)


def test_what_could_not_be_heard_is_said_not_to_be_known(
    service: Service, pictures: Pictures, speech: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = service.put(video(tmp_path / "clip.mp4", pictures[:4]))
    heard = service.look.probe(speech, name="speech.wav")
    assert (heard.facts.sound_notes, heard.facts_version) == ((SoundNote.NO_SPEECH,), FACTS_VERSION)

    def away(*_arguments: object) -> None:
        raise ChorusError(ErrorKind.UNAVAILABLE, "service-unreachable", service="Triton", reason="away")

    monkeypatch.setattr(service.models, "infer", away)
    deaf = service.look.probe(speech, name="speech.wav")
    assert (deaf.facts.sound_notes, deaf.facts_version) == ((), "")
    assert service.look.probe(key, name="her.mp4").facts_version == FACTS_VERSION


def test_crop_shows_what_the_affine_says(service: Service, pictures: Pictures, speech: str, tmp_path: Path) -> None:
    items = service.stream(service.put(video(tmp_path / "clip.mp4", pictures[:9])), speech, 9)
    batch = batches_of(items)[0]
    to_crop = batch.to_crop[5].copy()
    to_crop[:, 2] += to_crop[:, :2] @ [0.5, 0.5] - 0.5
    expected = cv2.warpAffine(pictures[5], to_crop, (256, 256), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(expected.astype(int) - batch.crops[5].astype(int)).mean() < 3


def test_frames_without_a_face_pass_through(service: Service, pictures: Pictures, speech: str, tmp_path: Path) -> None:
    key = service.put(video(tmp_path / "clip.mp4", pictures[:10] + black(12) + pictures[10:20]))
    tracks = service.analyse(key).tracks
    assert [(track.first_frame, track.last_frame) for track in tracks] == [(0, 9), (22, 31)]
    assert [track.shot for track in tracks] == [0, 2]
    faces = batches_of(service.stream(key, speech, 32))
    shape = [(batch.first_frame, batch.track, len(batch.present), len(batch.crops)) for batch in faces]
    assert shape == [(0, 0, 8, 8), (8, 0, 2, 2), (10, -1, 8, 0), (18, -1, 4, 0), (22, 1, 8, 8), (30, 1, 2, 2)]
    assert not faces[2].present.any()


def test_still_is_a_video_of_one_frame(service: Service, speech: str, tmp_path: Path) -> None:
    still = tmp_path / "still.jpg"
    still.write_bytes((SAMPLES / "portrait.jpg").read_bytes())
    faces = batches_of(service.stream(service.put(still), speech, 20))
    assert [len(batch.crops) for batch in faces] == [8, 8, 4]
    assert all(np.array_equal(crop, faces[0].crops[0]) for batch in faces for crop in batch.crops)
    assert (faces[0].weight == 1).all()


def test_video_without_a_face_is_refused_by_name(service: Service, speech: str, tmp_path: Path) -> None:
    key = service.put(video(tmp_path / "empty.mp4", black(15)))
    for _ in range(2):
        with pytest.raises(ChorusError, match=r"her\.mp4") as caught:
            service.stream(key, speech, 10)
        assert caught.value.kind is ErrorKind.NO_FACE
    with pytest.raises(ChorusError, match=r"No face was found in wall\.mp4"):
        service.analyse(key, "wall.mp4")


def test_face_that_is_not_there_is_refused(service: Service, pictures: Pictures, speech: str, tmp_path: Path) -> None:
    key = service.put(video(tmp_path / "clip.mp4", pictures[:6]))
    with pytest.raises(ChorusError, match="at most 1 face") as caught:
        service.stream(key, speech, 5, face=3)
    assert caught.value.kind is ErrorKind.NO_FACE


def test_missing_and_unusable_files_are_told_apart(service: Service, speech: str, tmp_path: Path) -> None:
    with pytest.raises(ChorusError) as missing:
        service.analyse("uploads/nothing")
    assert missing.value.kind is ErrorKind.NOT_FOUND
    text = tmp_path / "text.mp4"
    text.write_text("this is no video")
    with pytest.raises(ChorusError, match=r"notes\.mp4") as unusable:
        service.analyse(service.put(text), "notes.mp4")
    assert unusable.value.kind is ErrorKind.INVALID_INPUT


def test_abandoned_stream_frees_its_thread(service: Service, pictures: Pictures, speech: str, tmp_path: Path) -> None:
    key = service.put(video(tmp_path / "clip.mp4", pictures))
    request = FaceRequest(key, speech, CROP, MelSpec(0), 100_000, Extend.PINGPONG)
    for _ in range(10):  # more than the server has threads
        stream = service.client.stream_faces(request)
        while not isinstance(next(stream), FaceBatch):
            pass
        stream.close()
    assert service.analyse(key).frames == 30


def test_the_speech_of_two_hours_arrives_whole(service: Service, pictures: Pictures, tmp_path: Path) -> None:
    columns = 2 * 3600 * 80 + 1
    sent = Speech(
        mel=np.add.outer(np.arange(80), np.arange(columns)).astype(np.float32),
        level_db=np.arange(columns, dtype=np.float32),
        voice=-np.arange(columns, dtype=np.float32),
        features=np.broadcast_to(np.arange(columns) % 2000, (64, columns)).astype(np.float16),
    )
    write_speech(tmp_path / "speech", sent)
    service.storage.put_file(speech_key("uploads/long"), tmp_path / "speech")
    key = service.put(video(tmp_path / "clip.mp4", pictures[:4]))
    received, *faces = service.stream(key, "uploads/long", 4)
    assert isinstance(received, Speech)
    for name in ("mel", "level_db", "voice", "features"):
        assert np.array_equal(getattr(received, name), getattr(sent, name))
    assert len(batches_of(faces)) == 1


def on_full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_is_named(
    service: Service, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrackWriter, "add", on_full_disk)
    with pytest.raises(ChorusError, match="space") as caught:
        service.analyse(service.put(video(tmp_path / "clip.mp4", pictures[:8])))
    assert caught.value.kind is ErrorKind.STORAGE_FULL
    assert not list(service.scratch.iterdir())


def test_full_disk_is_told_from_a_fault_wherever_it_is_met(
    service: Service, pictures: Pictures, speech: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that for the copy of a track that lies in a bucket."""
    key = service.put(video(tmp_path / "clip.mp4", pictures[:4]))
    service.analyse(key)
    monkeypatch.setattr(FaceLibrary, "tracks", on_full_disk)
    with pytest.raises(ChorusError, match="disk of a service is full") as caught:
        service.stream(key, speech, 4)
    assert caught.value.kind is ErrorKind.STORAGE_FULL
