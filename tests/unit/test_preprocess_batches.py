"""Batches: what each frame shows, where batches end, and what is in them; the tracks come from a real file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.media import Clip, Extend, Frame, source_index
from services.media.colour import Matrix, Range
from services.preprocess.batches import Heard, stream_batches
from services.preprocess.faces import (
    LANDMARKS,
    CropSpec,
    FaceBatch,
    FaceIntroduction,
    FaceRequest,
    MelSpec,
    SoundNet,
    SourceNet,
)
from services.preprocess.latents import SeenFaces
from services.preprocess.pose import TrackMotion
from services.preprocess.recording import TrackRecording
from services.preprocess.states import States
from services.preprocess.summary import TrackSummary
from services.preprocess.track_store import TrackFile, TrackWriter, content_hash, open_tracks, track_key
from services.storage import Storage

WIDTH, HEIGHT = 640, 360
EYES = 100.0
MEL = np.zeros((80, 400), np.float32)


def face_at(x: float, y: float) -> NDArray[np.float32]:
    points = np.random.default_rng(3).uniform(-50, 50, (LANDMARKS, 3)).astype(np.float32)
    points[33], points[263] = (-EYES / 2, -60, 0), (EYES / 2, -60, 0)
    return np.asarray(points + np.array([x, y, 0]), np.float32)


def frame(index: int) -> Frame:
    """A frame whose luma is a ramp that names it."""
    luma = np.full((HEIGHT, WIDTH), 40 + index, np.uint8)
    chroma = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return Frame(index, luma, chroma, chroma.copy(), 8, Matrix.BT709, Range.FULL)


def write_track(writer: TrackWriter, folder: Path, number: int, frames: list[int], rank: int = 0) -> None:
    """A track that moves a pixel a frame; its mouth rests one pixel lower than it is seen."""
    recording = TrackRecording(folder / f"{number}", shot=0, longest_gap=0)
    for index in frames:
        recording.append(index, face_at(200 + 100 * number + index, 180), frame(index))
    recording.close()
    pose = np.zeros((len(frames), 3, 4))
    pose[:, :, :3] = np.eye(3) * EYES
    pose[:, :, 3] = [(200 + 100 * number + index, 180, 0) for index in frames]
    neutral = (face_at(0, 1) / EYES).astype(np.float64)
    motion = TrackMotion(neutral, pose, still=np.zeros(len(frames)), weight=np.linspace(0.5, 1, len(frames)))
    summary = TrackSummary(number, 0, frames[0], frames[-1], EYES, (0, 0, 1, 1), rank)
    writer.add(recording, motion, summary)


@pytest.fixture
def tracks(tmp_path: Path) -> Iterator[TrackFile]:
    """20 frames: track 0 in 0..5 and 12..15, track 1 in 6..9; track 2 of rank 1 in 0..19."""
    with (tmp_path / "faces").open("wb") as file:
        writer = TrackWriter(file)
        write_track(writer, tmp_path, 0, [*range(6), *range(12, 16)])
        write_track(writer, tmp_path, 1, list(range(6, 10)))
        write_track(writer, tmp_path, 2, list(range(20)), rank=1)
        writer.finish(frames=20, frame_rate=Fraction(25), width=WIDTH, height=HEIGHT, frames_with_face=20)
    with open_tracks(tmp_path / "faces") as opened:
        yield opened


def read(clip: Clip, count: int, extend: Extend) -> Generator[Frame]:
    """Frames without a file."""
    for index in range(count):
        yield frame(source_index(index, clip.frames, extend))


def stream(
    tracks: TrackFile, frame_count: int, face: int | None = None, window: int = 0, *, pixels: bool = True
) -> list[FaceIntroduction | FaceBatch]:
    crop = CropSpec(-0.75, -0.55, 1.5, (256, 384), pixels)
    request = FaceRequest("v", "a", crop, MelSpec(window), frame_count, Extend.PINGPONG, face, "her.mp4")
    return list(stream_batches(_clip(tracks), tracks, Heard(MEL), request, read))


def _clip(tracks: TrackFile) -> Clip:
    """What of a clip matters here."""
    return cast(Clip, SimpleNamespace(frames=tracks.analysis.frames, frame_rate=tracks.analysis.frame_rate))


def shape_of(items: list[FaceIntroduction | FaceBatch]) -> list[tuple[str, int, int, int]]:
    """(what, track, first frame, frames) of every item."""
    return [
        ("introduction", item.track, -1, len(item.references.weight))
        if isinstance(item, FaceIntroduction)
        else ("batch", item.track, item.first_frame, len(item.present))
        for item in items
    ]


def test_batches_end_where_the_track_changes(tracks: TrackFile) -> None:
    assert shape_of(stream(tracks, 20)) == [
        ("introduction", 0, -1, 1),
        ("batch", 0, 0, 6),
        ("introduction", 1, -1, 1),
        ("batch", 1, 6, 4),
        ("batch", -1, 10, 2),
        ("introduction", 0, -1, 1),
        ("batch", 0, 12, 4),
        ("batch", -1, 16, 4),
    ]


def test_a_track_that_stays_is_introduced_once(tracks: TrackFile) -> None:
    shape = shape_of(stream(tracks, 45, face=1))
    assert [what for what, *_ in shape].count("introduction") == 1
    assert [frames for what, _, _, frames in shape if what == "batch"] == [8, 8, 8, 8, 8, 5]


@pytest.mark.parametrize("frame_count", [1, 7, 20, 33, 64])
def test_every_frame_is_covered_once(tracks: TrackFile, frame_count: int) -> None:
    batches_only = [item for item in stream(tracks, frame_count) if isinstance(item, FaceBatch)]
    covered = [batch.first_frame + index for batch in batches_only for index in range(len(batch.present))]
    assert covered == list(range(frame_count))


def test_rows_belong_to_their_frames(tracks: TrackFile) -> None:
    items = stream(tracks, 20, face=1, window=16)
    batch = items[2]
    assert isinstance(batch, FaceBatch)
    assert batch.first_frame == 8
    assert batch.crops.shape == (8, 256, 256, 3)
    assert batch.mels.shape == (8, 80, 16)
    assert np.diff(batch.crops[:, 128, 128, 0].astype(int)).tolist() == [1] * 7
    assert batch.weight == pytest.approx(np.linspace(0.5, 1, 20)[8:16])
    scale = 256 / 150
    for row in range(8):
        linear, offset = batch.to_crop[row, :, :2], batch.to_crop[row, :, 2]
        assert linear == pytest.approx(np.eye(2) * scale)
        seen = face_at(400 + 8 + row, 180)[:, :2] @ linear.T + offset
        assert batch.landmarks[row, :, :2] == pytest.approx(seen, abs=0.01)
        assert batch.rest[row, :, 1] - batch.landmarks[row, :, 1] == pytest.approx(np.full(LANDMARKS, scale), abs=0.01)
        assert batch.landmarks[row, 263, 0] - batch.landmarks[row, 33, 0] == pytest.approx(256 / 1.5)


def test_reference_is_the_crop_of_its_frame(tracks: TrackFile) -> None:
    introduction, batch = stream(tracks, 8, face=1)[:2]
    assert isinstance(introduction, FaceIntroduction)
    assert isinstance(batch, FaceBatch)
    assert introduction.eye_distance == EYES
    references = introduction.references
    assert references.first_frame == -1
    assert references.mels.shape == (1, 80, 0)
    assert np.abs(references.crops[0].astype(int) - batch.crops[0].astype(int)).max() <= 1
    assert references.landmarks[0] == pytest.approx(batch.landmarks[0])


def test_without_pixels_nothing_is_decoded_and_all_else_is_the_same(
    tracks: TrackFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_pixels = stream(tracks, 45)
    monkeypatch.setattr(sys.modules[__name__], "read", None)
    without = stream(tracks, 45, pixels=False)
    assert shape_of(without) == shape_of(with_pixels)
    for item, full in zip(without, with_pixels, strict=True):
        if isinstance(item, FaceIntroduction):
            assert len(item.references.crops) == 1
        elif isinstance(full, FaceBatch):
            assert item.crops.shape == (0, *full.crops.shape[1:])
            assert item.side == full.side
            assert np.array_equal(item.landmarks, full.landmarks)
            assert np.array_equal(item.to_crop, full.to_crop)


class LumaNet:
    """In Triton's place: a face's latents are its level, which names its frame."""

    def __init__(self) -> None:
        self.faces = 0

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        self.faces += len(inputs["crop"])
        return {"latents": inputs["crop"].astype(np.float32).mean(axis=(1, 2))}


def test_what_nets_heard_and_saw_comes_with_the_rows(
    tracks: TrackFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Frames 6..9 show another track, nobody is in 10 and 11, and from 16 on; then it goes back."""
    caplog.set_level(logging.INFO)
    storage, net = Storage((tmp_path / "store").as_uri(), tmp_path), LumaNet()
    storage.put_bytes("v", b"a video")
    rows = np.arange(1, 101, dtype=np.float16)[:, None] * np.ones((1, 4), np.float16)
    heard = Heard(MEL, States(rows, np.tile(-rows, (15, 1))))
    looking = SourceNet("mine-latents", "weights", 32, 8, outline=(33, 263, 152), middle=(1,), below=0)
    request = FaceRequest(
        "v",
        "a",
        CropSpec(-0.75, -0.55, 1.5, (256, 384)),
        MelSpec(0),
        40,
        Extend.PINGPONG,
        sound_net=SoundNet("mine-sound", "weights", rows=10, lead=4),
        source_net=looking,
    )
    items = list(stream_batches(_clip(tracks), tracks, heard, request, read, SeenFaces(storage, "v", looking, net)))
    faces = [item for item in items if isinstance(item, FaceBatch) and item.track != -1]
    assert sum(len(batch.weight) for batch in faces) == 14 + 14 + 1
    assert net.faces == 14
    assert "mine-latents was shown 14 faces, 15 were known" in caplog.text
    for batch in faces:
        assert batch.latents is not None
        assert batch.sound is not None
        for number in range(len(batch.weight)):
            output = batch.first_frame + number
            source = source_index(output, 20, Extend.PINGPONG)
            assert batch.latents[number, 0] == pytest.approx(batch.crops[number].mean(), abs=1)
            assert batch.latents[number, 0] == pytest.approx(40 + source, abs=1)
            # 25 frames and 50 states a second: two a frame, of which row k holds k + 1.
            expected = [max(2 * output - 4 + state + 1, 0) for state in range(10)]
            assert batch.sound[number, :, 0].tolist() == expected
    for item in items:
        if isinstance(item, FaceIntroduction):
            assert item.box is not None
            assert 0 <= item.box.left < item.box.right <= 256
        elif item.track == -1:
            assert item.sound is item.latents is None


def test_a_face_that_never_appears_is_named(tracks: TrackFile) -> None:
    with pytest.raises(ChorusError, match=r"her\.mp4 shows at most 2 face") as caught:
        stream(tracks, 5, face=2)
    assert caught.value.kind is ErrorKind.NO_FACE


def test_analysis_is_read_back(tracks: TrackFile) -> None:
    assert tracks.analysis.frame_rate == 25
    assert [track.rank for track in tracks.analysis.tracks] == [0, 0, 1]
    assert tracks.tracks[0].rows == 10
    assert tracks.landmarks(tracks.tracks[0]).read(6, 7)[0] == pytest.approx(face_at(212, 180))


def test_keys_come_from_the_content() -> None:
    assert content_hash("uploads/ab12.mp4") == "ab12"
    assert track_key("uploads/ab12").startswith("tracks/ab12/")
