"""The straight line of one job: from a stored video and recording to an MP4 and its poster."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from contextvars import copy_context
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from services.errors import ChorusError, ErrorKind
from services.jobs.model import Progress, Stage
from services.jobs.options import RenderOptions
from services.jobs.spec import JobSpec
from services.media import Clip, Frame, open_clip, read_frames, speech_seconds, write_poster, write_video
from services.media.hardware import HardwareFailedError
from services.preprocess.client import PreprocessClient
from services.preprocess.faces import FaceBatch, FaceIntroduction, FaceRequest, FaceStreamItem, Speech
from services.preprocess.summary import AnalysisProgress
from services.render.clock import Report, StageClock, report_each
from services.render.families.family import Animator, ModelFamily, MouthEdit
from services.render.families.registry import find_family
from services.render.stills.motion import StillMotion
from services.storage import Storage
from services.timeline import Extend, frame_count
from services.triton import TritonClient

_log = logging.getLogger(__name__)

Mouths = tuple[FaceBatch, Sequence[MouthEdit]]
"""A batch and the edits of its m faces"""


class ClipLength(Protocol):
    """What a clip's length is made of."""

    @property
    def frames(self) -> int: ...
    @property
    def frame_rate(self) -> Fraction: ...
    @property
    def still(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class RenderServices:
    """Whom a render asks."""

    storage: Storage
    preprocess: PreprocessClient
    triton: TritonClient
    hardware: str | None = None
    """The encoder of graphics hardware that works here"""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a finished render did."""

    frames: int
    seconds: float
    """From start to end"""
    video_seconds: float
    """Of the output"""
    stages: Mapping[str, float]
    """Wall-clock seconds; `faces` and `synthesise` run in a thread beside `decode`, `composite` and `encode`"""


def render(spec: JobSpec, services: RenderServices, output: Path, poster: Path, report: Report) -> Rendered:
    """Render one job into `output` (MP4) and `poster` (JPEG); `report` hears of every frame. Raises ChorusError."""
    clock = StageClock()
    try:
        return _render(spec, services, output, poster, report, clock)
    except HardwareFailedError as error:
        # Its packets cannot be followed by those of another encoder, and it holds pictures back: all is made again.
        _log.warning("%s failed (%s): %s is encoded by software", error, error.__cause__, spec.video_name)
        return _render(spec, replace(services, hardware=None), output, poster, report, clock)
    finally:
        clock.record_spans()


def _render(
    spec: JobSpec, services: RenderServices, output: Path, poster: Path, report: Report, clock: StageClock
) -> Rendered:
    options, family = spec.options, find_family(spec.options.family)
    report(Progress(stage=Stage.STARTING))
    with ExitStack() as files:
        with clock.measure("fetch"):
            video, audio = (
                files.enter_context(services.storage.local_copy(key)) for key in (spec.video_key, spec.audio_key)
            )
        clip = open_clip(video, name=spec.video_name)
        count = output_frames(clip, speech_seconds(audio, name=spec.audio_name), options)
        wanted = face_request(spec, family, count)
        with closing(services.preprocess.stream_faces(wanted)) as items:
            with clock.measure("analyse"):
                speech = await_speech(items, report)
            with clock.measure("listen"):
                animator = family.animate(speech, clip.frame_rate, options, services.triton)
            with closing(synthesise_ahead(items, animator, clock)) as mouths:
                frames = clock.each("decode", read_frames(clip, count, options.extend))
                edits = with_still_motion(mouths, spec, clip, speech, count)
                pictures = keep_poster(composite_faces(frames, edits, clock), clip, poster_frame(count), poster)
                shown = clock.taken("encode", report_each(pictures, count, report))
                written = write_output(output, clip, shown, audio, count, options, services.hardware)
    if written != count:
        raise ChorusError(ErrorKind.INTERNAL, "frames-missing", name=spec.video_name, written=written, count=count)
    return Rendered(written, clock.elapsed(), float(written / clip.frame_rate), dict(clock.seconds))


def face_request(spec: JobSpec, family: ModelFamily, count: int) -> FaceRequest:
    """What the family asks of preprocess for an output of `count` frames."""
    return FaceRequest(
        video_key=spec.video_key,
        audio_key=spec.audio_key,
        crop=family.crop,
        mel=family.mel,
        frame_count=count,
        extend=spec.options.extend,
        face=spec.options.face,
        video_name=spec.video_name,
        audio_name=spec.audio_name,
        sound_net=family.sound_net,
        source_net=family.source_net,
    )


def output_frames(clip: ClipLength, audio_seconds: Fraction, options: RenderOptions) -> int:
    """How many frames the output has: as long as the audio, unless the options end it earlier or later."""
    count = frame_count(audio_seconds, clip.frame_rate)
    if options.extend is Extend.CUT and not clip.still:
        count = min(count, clip.frames)
    if options.after_audio == "rest":
        count = max(count, clip.frames)
    return count


def await_speech(items: Iterator[FaceStreamItem], report: Report) -> Speech:
    """Report the analysis of the video and of the recording until the speech comes, which it does before any face."""
    for item in items:
        if isinstance(item, Speech):
            return item
        if isinstance(item, AnalysisProgress):
            report(Progress(stage=Stage.ANALYSING, frames_done=item.frames_done, frames_total=item.frames_total))
    raise ChorusError(ErrorKind.INTERNAL, "speech-missing")


def synthesise_ahead(
    items: Iterator[FaceStreamItem], animator: Animator, clock: StageClock
) -> Generator[Mouths, None, None]:
    """Batches with their edits, the next one made in a thread while the caller applies the last: two in flight."""
    faces = clock.each("faces", items)

    def next_mouths() -> Mouths | None:
        for item in faces:
            with clock.measure("synthesise"):
                if isinstance(item, FaceIntroduction):
                    animator.introduce(item)
                elif isinstance(item, FaceBatch):
                    return item, animator.synthesise(item)
        return None

    context = copy_context()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="synthesise") as thread:
        pending = thread.submit(context.run, next_mouths)
        while (mouths := pending.result()) is not None:
            pending = thread.submit(context.run, next_mouths)
            yield mouths


def with_still_motion(
    mouths: Iterator[Mouths], spec: JobSpec, clip: Clip, speech: Speech, count: int
) -> Iterator[Mouths]:
    """The mouths of a photo with the motion of its head and lids; those of a video, or if not wanted, as they are."""
    if not (clip.still and spec.options.still_motion):
        return mouths
    seed = f"{spec.video_key} {spec.audio_key}"
    return StillMotion(speech, clip.frame_rate, count, poster=poster_frame(count), seed=seed).added_to(mouths)


def poster_frame(count: int) -> int:
    """Which frame of the output stands for it."""
    return count // 3


def composite_faces(
    frames: Iterator[Frame], mouths: Iterable[Mouths], clock: StageClock
) -> Generator[Frame, None, None]:
    """The frames with the edits applied; frames without a face pass through untouched."""
    for batch, edits in mouths:
        faces = iter(edits)
        for present, frame in zip(batch.present, frames, strict=False):
            if present:
                with clock.measure("composite"):
                    next(faces).apply(frame)
            yield frame


def keep_poster(pictures: Iterable[Frame], clip: Clip, position: int, path: Path) -> Generator[Frame, None, None]:
    """The same pictures; the one at `position` is also written to `path` as a JPEG."""
    for index, picture in enumerate(pictures):
        if index == position:
            write_poster(path, picture, clip)
        yield picture


def write_output(
    path: Path,
    clip: Clip,
    pictures: Iterable[Frame],
    audio: Path,
    count: int,
    options: RenderOptions,
    hardware: str | None = None,
) -> int:
    """Encode the pictures with the audio, padded with silence or cut to their length; the number of frames."""
    return write_video(
        path,
        clip,
        pictures,
        audio,
        seconds=count / clip.frame_rate,
        crf=options.crf,
        preset=options.preset,
        delivery=options.delivery,
        metadata={"software": "Chorus", "comment": "The lips were moved to another voice by Chorus"},
        hardware=hardware,
    )
