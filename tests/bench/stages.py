"""The work of one job piece by piece, each alone on one thread in this process: what the whole could cost at least."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Clip, Extend, Frame, open_clip, read_frames, read_speech, write_video
from services.media.source import read_packets
from services.preprocess.analysis import analyse
from services.preprocess.crops import crop_side, crop_to_frame, cut, inverse_affine
from services.preprocess.detection import detect, whole_view
from services.preprocess.faces import FaceBatch, FaceIntroduction
from services.preprocess.landmarks import eye_distance, find_landmarks, square_of_landmarks
from services.preprocess.speech import speech_of
from services.render.edits.reposing import Repose
from services.render.families.default.animator import CROP, DefaultAnimator
from services.render.families.default.speech import MouthTrack
from services.triton import TritonClient
from tests.bench.process_costs import forget_peak_rss, peak_rss_mib
from tests.quality.face_meter import FaceMeter
from tests.quality.mouth_measures import mouth_frame
from tests.quality.onnx_models import OnnxModels

_FRAMES = 120
_HELD = 16
_BATCH = 8
_FLOOR = ("decode", "encode")


@dataclass(frozen=True, slots=True)
class Stage:
    """What one piece of the work costs."""

    name: str
    milliseconds: float
    """CPU time of a frame"""
    added_mib: float
    """Memory that it needed beyond what was held before"""
    analysis: bool
    """Part of the analysis, which is done once a video"""


@dataclass(frozen=True, slots=True)
class _Face:
    """Real input for every stage: pictures of the clip and the face in the first of them."""

    clip: Clip
    audio: Path
    frames: list[Frame]
    models: OnnxModels
    landmarks: NDArray[np.float32]
    to_frame: NDArray[np.float64]
    side: int
    animator: DefaultAnimator
    batch: FaceBatch


def measure_stages(video: Path, audio: Path, folder: Path) -> list[Stage]:
    """Every stage on `video` in turn; `folder` takes the encoder's output."""
    face = _prepare(video, audio)
    edits = _render(face)
    stages: list[tuple[str, bool, Callable[[], int]]] = [
        ("detection (on few frames)", True, lambda: _detect(face)),
        ("landmarks", True, lambda: _landmarks(face)),
        ("decode", False, lambda: _count(read_frames(face.clip, _FRAMES, Extend.PINGPONG))),
        ("speech to coefficients", False, lambda: _listen(face)),
        ("crop (references only)", True, lambda: _crop(face)),
        ("the whole analysis with its decode", True, lambda: _analyse(face, folder)),
        ("mouth renderer", False, lambda: len(_render(face))),
        ("composite", False, lambda: _composite(face, edits)),
        ("encode", False, lambda: _encode(face, folder)),
    ]
    return [_measured(name, analysis, work) for name, analysis, work in stages]


def floor_of(stages: list[Stage]) -> float:
    """CPU milliseconds a frame below which no render can be: the file is decoded, and coded again."""
    return sum(stage.milliseconds for stage in stages if stage.name in _FLOOR)


def _measured(name: str, analysis: bool, work: Callable[[], int]) -> Stage:
    work()
    held, before = forget_peak_rss(), time.process_time()
    frames = work()
    seconds = time.process_time() - before
    return Stage(name, 1000 * seconds / frames, max(0.0, peak_rss_mib() - held), analysis)


def _prepare(video: Path, audio: Path) -> _Face:
    clip, models = open_clip(video, name=video.name), OnnxModels()
    frames = list(read_frames(clip, _HELD, Extend.PINGPONG))
    landmarks = FaceMeter(models).measure(frames[0])
    unit, along, mouth = mouth_frame(landmarks)
    face_to_frame = np.column_stack([unit * along, unit * np.array([-along[1], along[0]]), mouth])
    side = crop_side(CROP, eye_distance(landmarks))
    to_frame = crop_to_frame(face_to_frame, CROP, side)
    introduced = _introduced(frames[0], landmarks, to_frame, side, models)
    return _Face(clip, audio, frames, models, landmarks, to_frame, side, *introduced)


def _count(frames: Iterator[Frame]) -> int:
    return sum(1 for _ in frames)


def _detect(face: _Face) -> int:
    for frame in face.frames:
        detect(frame, [whole_view(frame.width, frame.height)], face.models)
    return len(face.frames)


def _landmarks(face: _Face) -> int:
    for frame in face.frames:
        find_landmarks([(frame, square_of_landmarks(face.landmarks))], face.models)
    return len(face.frames)


def _analyse(face: _Face, folder: Path) -> int:
    clip = replace(face.clip, frames=min(face.clip.frames, _FRAMES))
    with TemporaryDirectory(dir=folder) as scratch:
        frames = read_frames(clip, clip.frames, Extend.CUT)
        return max(analyse(clip, frames, face.models, Path(scratch), Path(scratch, "tracks")))


def _listen(face: _Face) -> int:
    samples = read_speech(face.audio, name=face.audio.name)
    speech = speech_of(samples, face.models)
    heard = {"mel": speech.mel[None], "features": speech.features[None].astype(np.float32)}
    face.models.infer("speech_to_mouth", heard, ["coefficients"])
    return round(len(samples) / 16000 * face.clip.frame_rate)


def _crop(face: _Face) -> int:
    for frame in face.frames:
        cut(frame, face.to_frame, face.side)
    return len(face.frames)


def _introduced(
    frame: Frame, landmarks: NDArray[np.float32], to_frame: NDArray[np.float64], side: int, models: OnnxModels
) -> tuple[DefaultAnimator, FaceBatch]:
    """An animator that knows the face, and a batch of it."""
    to_crop = inverse_affine(to_frame)
    points = landmarks.copy()
    points[:, :2] = points[:, :2] @ to_crop[:, :2].T + to_crop[:, 2]
    columns = np.tile(np.array([0.5, 0, 0.3, 0, 0.2, 0.2, 0, 0.2], np.float32), (80, 1))
    mouth = MouthTrack(columns, np.ones(80, np.float32))
    animator = DefaultAnimator(mouth, Fraction(25), cast(TritonClient, models))
    batch = FaceBatch(
        first_frame=0,
        track=0,
        present=np.ones(_BATCH, np.bool_),
        crops=np.repeat(cut(frame, to_frame, side)[None], _BATCH, axis=0),
        landmarks=np.repeat(points[None], _BATCH, axis=0),
        rest=np.repeat(points[None], _BATCH, axis=0),
        to_crop=np.repeat(to_crop[None], _BATCH, axis=0).astype(np.float32),
        weight=np.ones(_BATCH, np.float32),
        mels=np.zeros((_BATCH, 80, 0), np.float32),
    )
    animator.introduce(FaceIntroduction(0, float(eye_distance(landmarks)), 0, batch))
    return animator, batch


def _render(face: _Face) -> list[Repose]:
    """16 edits that make a half open mouth."""
    return [edit for _ in range(_HELD // _BATCH) for edit in face.animator.synthesise(face.batch)]


def _composite(face: _Face, edits: list[Repose]) -> int:
    for frame, edit in zip(face.frames, edits, strict=True):
        edit.apply(frame)
    return len(face.frames)


def _encode(face: _Face, folder: Path) -> int:
    return write_video(
        folder / "stage.mp4",
        face.clip,
        islice(cycle(face.frames), _FRAMES),
        face.audio,
        seconds=Fraction(_FRAMES) / face.clip.frame_rate,
        crf=18,
        preset="veryfast",
        delivery="source",
        metadata={},
    )


def enlarged_clip(video: Path, path: Path, height: int) -> Path:
    """The same video scaled to `height` pixels, with much detail kept: crf 16."""
    clip = open_clip(video, name=video.name)
    width = 2 * round(clip.width * height / clip.height / 2)
    frames = (_scaled(frame, width, height) for frame in read_frames(clip, clip.frames, Extend.CUT))
    return _written(path, replace(clip, width=width, height=height), frames, clip.frames)


def same_pictures(video: Path, path: Path, comment: str) -> Path:
    """Another file with the same stored pictures, and without sound."""
    with av.open(video) as source, av.open(path, "w", options={"movflags": "faststart"}) as copy:
        copy.metadata["comment"] = comment
        stored = source.streams.video[0]
        stream = copy.add_stream_from_template(stored)
        for packet in read_packets(source, stored):
            packet.stream = stream
            copy.mux(packet)
    return path


def prolonged_clip(video: Path, path: Path, seconds: int) -> Path:
    """The same video to and fro until it is that long."""
    clip = open_clip(video, name=video.name)
    count = int(seconds * clip.frame_rate)
    return _written(path, clip, read_frames(clip, count, Extend.PINGPONG), count)


def _written(path: Path, clip: Clip, frames: Iterator[Frame], count: int) -> Path:
    seconds = count / clip.frame_rate
    write_video(path, clip, frames, None, seconds=seconds, crf=16, preset="ultrafast", delivery="source", metadata={})
    return path


def _scaled(frame: Frame, width: int, height: int) -> Frame:
    across, down = frame.chroma_step
    y = cv2.resize(frame.y, (width, height), interpolation=cv2.INTER_CUBIC)
    u, v = (cv2.resize(plane, (width // across, height // down)) for plane in (frame.u, frame.v))
    return replace(frame, y=y.astype(np.uint8), u=u.astype(np.uint8), v=v.astype(np.uint8))
